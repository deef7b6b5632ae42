#include "conn/inbound.h"

#include <assert.h>

#include "conn/inbound_answer.h"
#include "conn/inbound_life.h"
#include "conn/inbound_request.h"
#include "conn/pace.h"
#include "conn/refusal.h"

/* A head that is not whole yet, and what one receive may bring behind it. */
#define KEPT_BYTES_MAX (HEAD_BYTES_MAX + SOCK_RECEIVE_BYTES)

static struct inbound *from_sock(struct sock *sock)
{
    return CONTAINER_OF(sock, struct inbound, sock);
}

struct inbound *inbound_of(struct stream *stream)
{
    return stream->calls == &inbound_answer_calls ? CONTAINER_OF(stream, struct inbound, stream)
                                                  : NULL;
}

/* ---- what its sock tells ---- */

static void on_deadline(struct sock *sock)
{
    struct inbound *inbound = from_sock(sock);

    switch (inbound->state) {
    case INBOUND_HEAD:
        if (buffer_size(&inbound->kept))
            inbound_life_refuse(inbound, 408, STREAM_TIMED_OUT, "the head did not arrive in time");
        else
            inbound_life_close(inbound, true);
        return;
    case INBOUND_BODY:
        if (inbound->is_discarding) {
            inbound_life_close(inbound, true);
            return;
        }
        /* While we hold its bytes the client cannot be blamed for sending none. */
        if (inbound->held) {
            inbound_life_set_deadline(inbound, inbound->group->settings.idle_timeout_ms);
            return;
        }
        inbound_life_refuse(inbound, 408, STREAM_TIMED_OUT, "the body did not arrive in time");
        return;
    default:
        /* The answer is the holder's business; the deadline is set anew when it is complete. */
        sock_watch(sock);
    }
}

static void on_drained(struct sock *sock)
{
    struct inbound *inbound = from_sock(sock);

    if (inbound->stream.events)
        inbound->stream.events->on_drained(&inbound->stream);
}

static void on_reset(struct sock *sock, int error)
{
    (void)error;
    inbound_life_break(from_sock(sock), STREAM_CLOSED, "the client reset the connection");
}

static const struct sock_events sock_events_ = {
    .on_bytes = inbound_request_on_bytes,
    .on_fin = inbound_request_on_fin,
    .on_drained = on_drained,
    .on_reset = on_reset,
    .on_deadline = on_deadline,
};

/* ---- the group ---- */

void inbound_group_init(struct inbound_group *group, struct sock_group *socks,
                        const struct inbound_events *events,
                        const struct inbound_settings *settings, void *owner)
{
    *group = (struct inbound_group){
        .socks = socks, .events = events, .owner = owner, .settings = *settings};
    /* A connection that has ended is counted until its memory is free: room for those of one turn.
     */
    pool_init(&group->pool, sizeof(struct inbound),
              (size_t)settings->connections_max + LOOP_EVENTS_MAX);
    list_init(&group->all);
}

void inbound_group_finish(struct inbound_group *group)
{
    assert(group->count == 0);
    pool_finish(&group->pool);
}

struct inbound *inbound_open(struct inbound_group *group, int fd, const struct address *client,
                             uint16_t listener)
{
    struct inbound *inbound = NULL;
    char text[ADDRESS_TEXT_BYTES];

    if (group->count < group->settings.connections_max)
        inbound = pool_take(&group->pool);
    if (!inbound) {
        refusal_turn_away(fd, 503);
        return NULL;
    }
    memset(inbound, 0, sizeof(*inbound));
    inbound->group = group;
    inbound->listener = listener;
    inbound->stream.calls = &inbound_answer_calls;
    inbound->is_loopback = address_is_loopback(client);
    address_ip_to_text(client, text);
    memcpy(inbound->client_ip, text, INBOUND_IP_BYTES - 1);
    buffer_init(&inbound->kept, KEPT_BYTES_MAX);
    ready_init(&inbound->again, inbound_request_on_again);
    list_append(&group->all, &inbound->list);
    group->count++;
    pace_open(inbound);
    sock_adopt(&inbound->sock, group->socks, fd, &sock_events_);
    if (inbound->state != INBOUND_CLOSED && !sock_has_deadline(&inbound->sock))
        inbound_life_set_deadline(inbound, sock_is_watched(&inbound->sock)
                                               ? group->settings.header_timeout_ms
                                               : INBOUND_UNWATCHED_MS);
    return inbound;
}

void inbound_group_drain(struct inbound_group *group)
{
    inbound_group_retire(group, 0);
}

void inbound_group_retire(struct inbound_group *group, uint32_t idle_ms)
{
    group->is_draining = true;
    LIST_FOR_EACH (at, &group->all) {
        struct inbound *inbound = CONTAINER_OF(at, struct inbound, list);

        if (inbound->state != INBOUND_HEAD || buffer_size(&inbound->kept))
            continue;
        if (idle_ms)
            inbound_life_set_deadline(inbound, idle_ms);
        else
            inbound_life_close(inbound, true);
    }
}

void inbound_abort(struct inbound *inbound, const char *why)
{
    inbound_life_break(inbound, STREAM_SHUT_DOWN, why);
}

void inbound_group_abort(struct inbound_group *group)
{
    while (!list_is_empty(&group->all)) {
        struct inbound *inbound = LIST_FIRST(&group->all, struct inbound, list);

        inbound_abort(inbound, "the balancer is stopping");
    }
}
