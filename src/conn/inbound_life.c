#include "conn/inbound_life.h"

#include <stdlib.h>

#include "base/clock.h"
#include "conn/refusal.h"

static void on_destroy(struct sock *sock)
{
    struct inbound *inbound = CONTAINER_OF(sock, struct inbound, sock);
    struct inbound_group *group = inbound->group;

    group->count--;
    if (group->events->on_closed)
        group->events->on_closed(inbound);
    pool_give(&group->pool, inbound);
}

void inbound_life_forget_chunks(struct inbound *inbound)
{
    if (!inbound->chunks)
        return;
    sock_group_count_kept(inbound->group->socks, inbound->chunks->trailer.capacity, 0);
    h1_chunk_finish(inbound->chunks);
    free(inbound->chunks);
    inbound->chunks = NULL;
}

int inbound_life_keep(struct inbound *inbound, struct view bytes)
{
    size_t before = inbound->kept.capacity;
    int result = buffer_append(&inbound->kept, bytes);

    sock_group_count_kept(inbound->group->socks, before, inbound->kept.capacity);
    return result;
}

void inbound_life_forget_kept(struct inbound *inbound)
{
    if (!inbound->kept.data)
        return;
    sock_group_settle(inbound->group->socks);
    sock_group_count_kept(inbound->group->socks, inbound->kept.capacity, 0);
    buffer_finish(&inbound->kept);
}

static void retire(struct inbound *inbound)
{
    inbound->state = INBOUND_CLOSED;
    inbound->stream.events = NULL;
    ready_cancel(&inbound->again);
    list_remove(&inbound->list);
    inbound_life_forget_kept(inbound);
    inbound_life_forget_chunks(inbound);
}

void inbound_life_close(struct inbound *inbound, bool lingers)
{
    retire(inbound);
    sock_close(&inbound->sock, lingers, on_destroy);
}

void inbound_life_abort(struct inbound *inbound)
{
    retire(inbound);
    sock_abort(&inbound->sock, on_destroy);
}

static void tell_reset(struct inbound *inbound, enum stream_failure failure, const char *why)
{
    const struct stream_events *events = inbound->stream.events;

    inbound->stream.events = NULL;
    if (events)
        events->on_reset(&inbound->stream, failure, why);
}

void inbound_life_break(struct inbound *inbound, enum stream_failure failure, const char *why)
{
    tell_reset(inbound, failure, why);
    if (inbound->state != INBOUND_CLOSED)
        inbound_life_abort(inbound);
}

void inbound_life_refuse(struct inbound *inbound, uint16_t status, enum stream_failure failure,
                         const char *reason)
{
    bool has_begun = inbound->has_answer_head;

    /* Between requests nothing of the last one counts. */
    if (inbound->state == INBOUND_HEAD)
        inbound->method = METHOD_OTHER;
    tell_reset(inbound, failure, reason);
    if (has_begun) {
        inbound_life_abort(inbound);
        return;
    }
    refusal_write(inbound, status, reason);
    inbound_life_close(inbound, true);
}

void inbound_life_set_deadline(struct inbound *inbound, uint32_t after_ms)
{
    sock_set_deadline(&inbound->sock, after_ms * CLOCK_US_PER_MS);
}

void inbound_life_update_pause(struct inbound *inbound)
{
    bool waits = inbound->state == INBOUND_ANSWER && buffer_size(&inbound->kept);

    if (inbound->held || waits)
        sock_pause(&inbound->sock);
    else
        sock_resume(&inbound->sock);
}

void inbound_life_begin_rest(struct inbound *inbound)
{
    inbound->state = INBOUND_HEAD;
    inbound->has_answer_head = false;
    inbound->was_told = false;
    inbound->is_discarding = false;
    inbound_life_set_deadline(inbound, inbound->group->settings.idle_timeout_ms);
    if (buffer_size(&inbound->kept) || inbound->has_fin) {
        loop_make_ready(inbound->group->socks->loop, &inbound->again);
        return;
    }
    sock_resume(&inbound->sock);
}
