#include "proxy/exchange.h"

#include <errno.h>

#include "base/clock.h"
#include "conn/shed.h"
#include "proxy/answer.h"
#include "proxy/attempt.h"
#include "proxy/body.h"
#include "proxy/compat.h"
#include "proxy/forward.h"
#include "proxy/hold.h"
#include "proxy/patience.h"
#include "proxy/prepare.h"
#include "proxy/record.h"
#include "proxy/relay.h"
#include "proxy/route.h"

static const struct stream_events client_events;
static const struct stream_events outbound_events;

static enum table_compat compat_of(const struct exchange *x)
{
    return (enum table_compat)x->proxy->table->settings.compat;
}

static void on_expiry(struct timer *timer)
{
    struct exchange *x = CONTAINER_OF(timer, struct exchange, timer);

    x->news.has_expired = true;
    exchange_run(x);
}

/* ---- answers of our own ---- */

static enum exchange_step answered(struct exchange *x, uint16_t status)
{
    x->status = status;
    x->client = NULL;
    return EXCHANGE_FINISH;
}

static enum exchange_step refuse(struct exchange *x, uint16_t status, const char *sentence)
{
    x->failure_text = sentence;
    if (!x->client)
        return EXCHANGE_FINISH;
    /* Part of another answer is out already: cutting it off is the only honest end. */
    if (x->has_answer_head)
        stream_reset(x->client);
    else
        answer_send_error(x->proxy->socks, x->client, compat_of(x), status, view_of(sentence),
                          x->request_id);
    return answered(x, status);
}

/* ---- route, key ---- */

static enum exchange_step step_route(struct exchange *x)
{
    const struct head *head = x->news.request;
    struct route route = route_find(x->proxy->table, head, x->from.listener);

    x->method = head->method;
    x->method_text = head->method_text;
    x->target = head->target;
    x->body = head->body;
    x->asks_upgrade = head->asks_upgrade;
    x->is_root = view_equals(head->path, VIEW("/"));
    if (forward_is_final(head)) {
        x->why = "Max-Forwards";
        answer_send_options(x->proxy->socks, x->client);
        return answered(x, 200);
    }
    switch (route.kind) {
    case ROUTE_SERVICE:
        x->service = route.service;
        return EXCHANGE_KEY;
    case ROUTE_LINK:
        x->is_link = true;
        x->why = "classic API";
        prepare_link_request(x);
        return EXCHANGE_LINK;
    case ROUTE_HEALTH:
        x->why = "health check";
        answer_send_health(x->proxy->socks, x->client, x->method,
                           SEGMENTS_READ(x->proxy->states->is_draining));
        return answered(x, SEGMENTS_READ(x->proxy->states->is_draining) ? 503 : 200);
    default:
        return refuse(x, 404, "no service is configured for this host and path");
    }
}

static enum exchange_step step_key(struct exchange *x)
{
    const struct table_service *service = exchange_service(x);

    proxy_earn_retry(x->proxy, service);
    body_limit_held(x, service->rules.retry_body_bytes);
    return prepare_request(x, service) ? EXCHANGE_READ : EXCHANGE_PICK;
}

static enum exchange_step step_read(struct exchange *x)
{
    const struct table_service *service = exchange_service(x);

    if (x->news.is_client_gone)
        return EXCHANGE_FINISH;
    if (x->news.has_expired)
        return refuse(x, 408, "the body did not arrive in time");
    if (!service)
        return EXCHANGE_PICK;
    if (sock_group_keeps_too_much(x->proxy->socks))
        return refuse(x, 503, shed_reason);
    return prepare_key_from_body(x, service) ? EXCHANGE_PICK : EXCHANGE_READ;
}

/* ---- pick, link, connect ---- */

static enum exchange_step step_pick(struct exchange *x)
{
    const struct table_service *service = exchange_service(x);
    struct pick pick;
    bool is_found = service && pick_replica(x->proxy, x->service, x->hash, &x->tried, &pick) == 0;

    if ((!is_found || pick.rank > 0) && hold_begins(x))
        return EXCHANGE_HOLD;
    if (!is_found)
        return EXCHANGE_RETRY;
    x->seat = pick.replica->seat;
    x->incarnation = pick.replica->incarnation;
    x->is_trial = pick.is_trial;
    x->slot = pick.slot;
    x->rank = pick.rank;
    x->why = hold_why(x, pick.rank, pick.why);
    x->tried.seats[x->tried.count++] = x->seat;
    memcpy(x->replica, pick.replica->name, sizeof(x->replica));
    prepare_attempt(x, service);
    return EXCHANGE_CONNECT;
}

static enum exchange_step step_hold(struct exchange *x)
{
    x->news.has_expired = false;
    if (hold_goes_on(x))
        return EXCHANGE_HOLD;
    hold_end(x);
    if (x->news.is_client_gone)
        return EXCHANGE_FINISH;
    return x->attempts ? EXCHANGE_RETRY : EXCHANGE_PICK;
}

static enum exchange_step step_link(struct exchange *x)
{
    struct proxy *proxy = x->proxy;

    if (x->news.is_client_gone)
        return EXCHANGE_FINISH;
    if (!proxy->is_link_open || x->news.has_expired)
        return refuse(x, 503, "the control plane does not answer");
    if (outbound_has_idle(&proxy->outbounds, PROXY_LINK_PLACE))
        return EXCHANGE_CONNECT;
    if (!list_is_empty(&x->waiting))
        return EXCHANGE_LINK;
    if (proxy->waiting_count == PROXY_LINK_WAITING_MAX)
        return refuse(x, 503, "too many calls wait for the control plane");
    list_append(&proxy->waiting_for_link, &x->waiting);
    proxy->waiting_count++;
    patience_give(x, PROXY_LINK_TIMEOUT_MS);
    if (proxy->link_streams < PROXY_LINK_STREAMS_MAX) {
        proxy->link_streams++;
        proxy->want_stream(proxy);
    }
    return EXCHANGE_LINK;
}

static void place_of(const struct exchange *x, struct outbound_place *place)
{
    const struct table_service *service = exchange_service(x);
    const struct proxy_seat *seat = &x->proxy->seats[x->seat];

    if (x->is_link) {
        *place = (struct outbound_place){.place = PROXY_LINK_PLACE,
                                         .incarnation = PROXY_LINK_INCARNATION};
        return;
    }
    *place = (struct outbound_place){
        .place = x->seat,
        .incarnation = seat->incarnation,
        .address = table_replicas(x->proxy->table, service)[seat->member].address,
        .is_checked = !head_is_idempotent(x->method),
        .is_fresh = x->attempts > 0 && x->failure == STREAM_CLOSED,
    };
}

static void send_request(struct exchange *x)
{
    struct stream_head head = {
        .text = {x->text, x->text_bytes},
        .body = x->body,
        .method = x->method,
        .asks_upgrade = x->asks_upgrade,
    };

    stream_send_head(x->outbound, &head);
    body_send_held(x);
    if (x->is_request_whole)
        stream_send_end(x->outbound, buffer_view(&x->request_trailers));
}

static void count_attempt(struct exchange *x)
{
    x->attempts++;
    x->attempt_us = x->proxy->loop->now_us;
    if (x->is_link)
        return;
    proxy_count_in_flight(x->proxy, x->seat, 1);
    x->is_counted = true;
    if (x->is_trial)
        x->proxy->seats[x->seat].trials++;
}

static enum exchange_step step_connect(struct exchange *x)
{
    const struct table_service *service = exchange_service(x);
    uint32_t connect_ms = service ? service->rules.connect_ms : PROXY_LINK_TIMEOUT_MS;
    struct outbound_place place;
    int result;

    place_of(x, &place);
    count_attempt(x);
    if (!x->is_link && (place.is_fresh || !outbound_has_idle(&x->proxy->outbounds, x->seat)))
        proxy_await_seat(x->proxy, x->seat, connect_ms);
    result =
        outbound_start(&x->proxy->outbounds, &place, connect_ms, &outbound_events, x, &x->outbound);
    if (result < 0) {
        x->outbound = NULL;
        x->failure = STREAM_REFUSED;
        x->failure_text = "no connection to the replica could be opened";
        record_end_attempt(x, false);
        if (result == -ECONNREFUSED)
            proxy_skip_seat(x->proxy, x->seat);
        return EXCHANGE_RETRY;
    }
    patience_renew(x);
    send_request(x);
    return EXCHANGE_AWAIT;
}

/* ---- await, retry ---- */

/* The attempt is over; whatever the replica still says is not heard. */
static void drop_outbound(struct exchange *x)
{
    if (x->outbound)
        stream_reset(x->outbound);
    x->outbound = NULL;
}

static enum exchange_step give_up_waiting(struct exchange *x)
{
    /* A client that sends nothing is its inbound's business, a replica that takes nothing ours. */
    if (!x->is_request_whole && patience_is_earned(x, x->outbound))
        return EXCHANGE_AWAIT;
    if (!x->is_request_whole && stream_queued(x->outbound) == 0) {
        patience_renew(x);
        return EXCHANGE_AWAIT;
    }
    record_end_attempt(x, false);
    drop_outbound(x);
    return refuse(x, 504, "the replica did not answer in time");
}

static enum exchange_step step_await(struct exchange *x)
{
    if (x->news.is_client_gone) {
        record_end_attempt(x, true);
        drop_outbound(x);
        return EXCHANGE_FINISH;
    }
    if (x->news.interim) {
        relay_interim(x);
        patience_renew(x);
        return EXCHANGE_AWAIT;
    }
    if (x->news.answer)
        return EXCHANGE_RELAY;
    if (x->news.has_failed) {
        record_end_attempt(x, false);
        return EXCHANGE_RETRY;
    }
    if (x->news.has_expired) {
        x->news.has_expired = false;
        return give_up_waiting(x);
    }
    return EXCHANGE_AWAIT;
}

static enum exchange_step step_retry(struct exchange *x)
{
    x->news.has_failed = false;
    if (x->news.is_client_gone)
        return EXCHANGE_FINISH;
    if (x->attempts == 0)
        return refuse(x, 503, "no replica is available");
    x->is_taken_back |= attempt_lost_its_replica(x);
    if (hold_begins(x))
        return EXCHANGE_HOLD;
    if (attempt_can_follow(x) || attempt_begins_anew(x)) {
        /* What a replica held that is only down goes on too, but on credit. */
        if (!attempt_lost_its_replica(x))
            proxy_take_retry(x->proxy);
        x->is_taken_back = false;
        /* Of the wait for a verdict; what comes next has its own time. */
        x->news.has_expired = false;
        return EXCHANGE_PICK;
    }
    if (attempt_awaits_verdict(x)) {
        patience_give(x, ATTEMPT_VERDICT_MS);
        return EXCHANGE_RETRY;
    }
    if (!x->was_sent)
        return refuse(x, 503,
                      x->is_link ? "the control plane does not answer"
                                 : "no replica could be reached");
    return refuse(x, 502,
                  x->is_link ? "the control plane gave no answer"
                             : "the replica gave no valid answer");
}

/* ---- relay ---- */

static void begin_answer(struct exchange *x)
{
    const struct head *head = x->news.answer;

    x->news.answer = NULL;
    x->replica_status = head->status;
    x->status = head->status;
    x->first_byte_us = x->proxy->loop->now_us;
    body_release_held(x);
    record_answer(x);
    if (!x->is_link)
        proxy_clear_seat(x->proxy, x->seat);
    if (compat_replaces(x, head))
        compat_answer(x);
    else
        relay_head(x, head);
    patience_renew(x);
}

static enum exchange_step end_exchange(struct exchange *x)
{
    x->outbound = NULL;
    record_end_attempt(x, true);
    record_client_done(x);
    return EXCHANGE_FINISH;
}

/* A tunnel ends one way at a time (RFC 9110 9.3.6 says so of CONNECT). */
static enum exchange_step end_tunnel_way(struct exchange *x)
{
    x->is_answer_whole = true;
    stream_send_end(x->client, (struct view){NULL, 0});
    return x->is_request_whole ? end_exchange(x) : EXCHANGE_RELAY;
}

/* The answer is whole. */
static enum exchange_step end_answer(struct exchange *x)
{
    x->news.has_ended = false;
    if (x->is_tunnel)
        return end_tunnel_way(x);
    if (x->client)
        relay_end(x);
    return end_exchange(x);
}

/* Either side is gone before the end: the other one must see that it is not whole. */
static enum exchange_step cut_off(struct exchange *x, bool is_replica_well)
{
    record_end_attempt(x, is_replica_well);
    drop_outbound(x);
    if (x->client) {
        stream_reset(x->client);
        record_client_done(x);
    }
    return EXCHANGE_FINISH;
}

/* Whose fault is it that nothing moves? A client that takes nothing cannot be the replica's. */
static enum exchange_step give_up_relaying(struct exchange *x)
{
    bool is_client_slow = x->client && stream_queued(x->client) > 0;

    x->news.has_expired = false;
    if (patience_is_earned(x, is_client_slow ? x->client : x->outbound))
        return EXCHANGE_RELAY;
    x->failure_text =
        is_client_slow ? "the client took nothing for too long" : "nothing moved for too long";
    return cut_off(x, x->is_tunnel || is_client_slow);
}

static enum exchange_step step_relay(struct exchange *x)
{
    if (x->news.answer)
        begin_answer(x);
    if (x->news.is_client_gone)
        return cut_off(x, true);
    if (x->news.body.size) {
        if (!body_pass_answer(x))
            return cut_off(x, true);
        patience_renew(x);
    }
    if (x->news.has_ended)
        return end_answer(x);
    if (x->news.has_failed)
        return cut_off(x, false);
    if (x->news.has_expired)
        return give_up_relaying(x);
    if (x->is_tunnel && x->is_request_whole && x->is_answer_whole)
        return end_exchange(x);
    return EXCHANGE_RELAY;
}

/* ---- finish ---- */

static enum exchange_step step_finish(struct exchange *x)
{
    struct proxy *proxy = x->proxy;

    record_client_done(x);
    hold_end(x);
    timer_stop(&x->timer);
    list_remove(&x->list);
    if (!list_is_empty(&x->waiting)) {
        list_remove(&x->waiting);
        proxy->waiting_count--;
    }
    if (x->held.data || !x->text_pool)
        sock_group_settle(proxy->socks);
    body_finish_held(x);
    buffer_finish(&x->request_trailers);
    prepare_give_text(x);
    pool_give(&proxy->exchanges, x);
    return EXCHANGE_FINISH;
}

typedef enum exchange_step (*step_fn)(struct exchange *x);

static const step_fn steps[] = {
    [EXCHANGE_ROUTE] = step_route,     [EXCHANGE_READ] = step_read,
    [EXCHANGE_KEY] = step_key,         [EXCHANGE_PICK] = step_pick,
    [EXCHANGE_HOLD] = step_hold,       [EXCHANGE_LINK] = step_link,
    [EXCHANGE_CONNECT] = step_connect, [EXCHANGE_AWAIT] = step_await,
    [EXCHANGE_RETRY] = step_retry,     [EXCHANGE_RELAY] = step_relay,
    [EXCHANGE_FINISH] = step_finish,
};

void exchange_run(struct exchange *x)
{
    for (;;) {
        enum exchange_step present = x->step;
        enum exchange_step next = steps[present](x);

        /* A finished exchange is gone: it must not be touched any more. */
        if (next == present)
            return;
        x->step = next;
    }
}

/* ---- news from the client ---- */

static void on_client_body(struct stream *stream, struct view bytes)
{
    struct exchange *x = stream->holder;

    body_take_request(x, bytes);
    if (x->step != EXCHANGE_HOLD)
        patience_renew(x);
    if (x->step == EXCHANGE_READ)
        exchange_run(x);
}

static void on_client_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    struct exchange *x = stream->holder;

    x->is_request_whole = true;
    x->whole_us = x->proxy->loop->now_us;
    body_end_request(x, trailers, count);
    if (x->step == EXCHANGE_AWAIT)
        patience_renew(x);
    if (x->step == EXCHANGE_READ || (x->is_tunnel && x->is_answer_whole))
        exchange_run(x);
}

static void on_client_drained(struct stream *stream)
{
    body_give_answer_credit(stream->holder);
}

static void on_client_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    struct exchange *x = stream->holder;

    x->status = record_status_of(failure);
    x->failure_text = why;
    x->client = NULL;
    x->news.is_client_gone = true;
    exchange_run(x);
}

static const struct stream_events client_events = {
    .on_body = on_client_body,
    .on_end = on_client_end,
    .on_drained = on_client_drained,
    .on_reset = on_client_reset,
};

/* ---- news from the outbound ---- */

static void on_connected(struct stream *stream)
{
    const struct exchange *x = stream->holder;

    if (!x->is_link)
        proxy_clear_seat(x->proxy, x->seat);
}

static void on_interim(struct stream *stream, const struct head *head)
{
    struct exchange *x = stream->holder;

    if (!x->client)
        return;
    x->has_interim = true;
    x->news.interim = head;
    exchange_run(x);
    x->news.interim = NULL;
}

static void on_head(struct stream *stream, const struct head *head)
{
    struct exchange *x = stream->holder;

    x->news.answer = head;
    exchange_run(x);
}

static void on_body(struct stream *stream, struct view bytes)
{
    struct exchange *x = stream->holder;

    x->news.body = bytes;
    exchange_run(x);
}

static void on_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    struct exchange *x = stream->holder;

    x->news.trailers = trailers;
    x->news.trailer_count = count;
    x->news.has_ended = true;
    exchange_run(x);
}

static void on_drained(struct stream *stream)
{
    body_give_request_credit(stream->holder);
}

static void on_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    struct exchange *x = stream->holder;

    x->was_sent |= stream_sent(stream) > 0;
    x->outbound = NULL;
    x->failure = failure;
    x->failure_text = why;
    if (!x->is_link && (failure == STREAM_REFUSED || failure == STREAM_TIMED_OUT))
        proxy_note_unreached(x->proxy, x->seat, failure, x->attempt_us);
    x->tried.has_waited |= failure == STREAM_TIMED_OUT;
    x->news.has_failed = true;
    exchange_run(x);
}

static const struct stream_events outbound_events = {
    .on_connected = on_connected,
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_reset = on_reset,
};

/* ---- beginning, and news from the proxy ---- */

/* An address that a trusted proxy named stands in the head, which is gone soon. */
static void keep_named_ip(struct exchange *x)
{
    if (x->from.ip.data == x->from.peer.data)
        return;
    x->from.ip = view_first(x->from.ip, sizeof(x->named_ip));
    memcpy(x->named_ip, x->from.ip.data, x->from.ip.size);
    x->from.ip.data = x->named_ip;
}

void exchange_begin(struct proxy *proxy, struct stream *stream, const struct head *head,
                    const struct exchange_client *from)
{
    struct exchange *x = pool_take(&proxy->exchanges);

    memset(x, 0, offsetof(struct exchange, named_ip));
    x->proxy = proxy;
    x->client = stream;
    x->from = *from;
    keep_named_ip(x);
    x->holds_body = true;
    x->start_us = proxy->loop->now_us;
    buffer_init(&x->held, SOCK_RECEIVE_BYTES);
    buffer_init(&x->request_trailers, BODY_TRAILER_BYTES_MAX);
    timer_init(&x->timer, on_expiry);
    list_init(&x->waiting);
    list_init(&x->holding);
    list_append(&proxy->all, &x->list);
    record_begin(x);
    stream_hold(stream, &client_events, x);
    x->news.request = head;
    exchange_run(x);
}

void exchange_take_back(struct exchange *x)
{
    /* It was lost already, and this is the verdict it waited for. */
    if (x->step == EXCHANGE_RETRY) {
        exchange_run(x);
        return;
    }
    if (x->step != EXCHANGE_AWAIT || !x->outbound)
        return;
    x->was_sent |= stream_sent(x->outbound) > 0;
    x->failure = STREAM_CLOSED;
    x->is_taken_back = !x->has_interim;
    /* Better to wait for one that may be slow than to give up where nobody else is there. */
    if (x->has_interim || !attempt_can_follow(x)) {
        x->is_taken_back = false;
        return;
    }
    drop_outbound(x);
    x->failure_text = "the replica went down while it was asked";
    x->news.has_failed = true;
    exchange_run(x);
}

void exchange_link_ready(struct exchange *x, bool is_there)
{
    if (!is_there)
        x->news.has_expired = true;
    exchange_run(x);
}
