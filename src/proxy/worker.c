#include "proxy/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "conn/refusal.h"
#include "conn/shed.h"
#include "net/listener.h"
#include "net/signals.h"
#include "proxy/answer.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/handover.h"
#include "proxy/limit.h"
#include "proxy/link.h"
#include "proxy/prepare.h"
#include "proxy/record.h"
#include "proxy/sandbox.h"

/* Descriptors that are never given to connections: control, logs, the link, tables in flight. */
#define DESCRIPTORS_RESERVED 256

/* Lines of the access log leave together: when there are so many bytes, or when the first has
 * waited so long. */
#define LOG_BATCH_BYTES (128 * 1024)
#define LOG_WAIT_US     UINT64_C(8000)

/* After a handover an idle connection may ask once more within that time: another worker serves the
 * next one. */
#define HANDOVER_IDLE_MS 1000

struct worker {
    struct loop loop;
    struct sock_group socks;
    struct inbound_group inbounds;
    struct proxy proxy;
    struct limit limit;
    struct link link;
    struct listener listeners[WORKER_LISTENERS_MAX];
    int listener_fds[WORKER_LISTENERS_MAX];
    uint16_t listener_numbers[WORKER_LISTENERS_MAX]; /* its address in the table */
    unsigned listener_count;
    struct timer drain_limit;
    struct timer log_wait;
    struct signals signals;
    const struct state_segment *states;
    struct count_segment *counts;
    struct guest_segment *guests;
    struct handover handover;
    int handover_fd;
    bool is_started;
    bool is_draining;
    int status;
};

/* ---- connections and requests ---- */

static void on_accept(struct listener *listener, int fd, const struct address *client)
{
    struct worker *worker = listener->owner;
    enum limit_verdict verdict = LIMIT_NOT_COUNTED;
    struct inbound *inbound;

    /* A proxy that is trusted speaks for many. */
    if (!client_is_trusted(client, worker->proxy.table))
        verdict = limit_connect(&worker->limit, client);
    if (verdict == LIMIT_TOO_MANY) {
        refusal_turn_away(fd, 429);
        return;
    }
    inbound = inbound_open(&worker->inbounds, fd, client,
                           worker->listener_numbers[listener - worker->listeners]);
    if (inbound)
        inbound->is_counted = verdict == LIMIT_COUNTED;
    else if (verdict == LIMIT_COUNTED)
        limit_disconnect(&worker->limit, client);
}

/* Is it one request too many of this client? The one that is meant where a trusted proxy names it.
 */
static bool is_too_many(struct worker *worker, struct view ip)
{
    struct address address;

    return limit_counts_requests(&worker->limit) && address_from_ip(ip, 0, &address) == 0 &&
           !limit_request(&worker->limit, &address, worker->loop.now_us);
}

/* Memory is short: those who wait for most are let go. */
static void make_room(struct worker *worker)
{
    unsigned count = shed_slowest(&worker->inbounds);

    if (count)
        log_event(LOG_WARN, "worker.shed", LOG_NUMBER("connections", count),
                  LOG_TEXT("reason", "limits.buffered-total is reached by slow readers"));
}

static void refuse_request(struct worker *worker, struct stream *stream, const struct head *head,
                           struct view ip, uint16_t status, const char *reason)
{
    const struct field *id = head_find(head, FIELD_X_REQUEST_ID);

    record_refused(&worker->proxy, ip, status, reason);
    answer_send_error(&worker->socks, stream,
                      (enum table_compat)worker->proxy.table->settings.compat, status,
                      view_of(reason), id ? id->value : (struct view){NULL, 0});
}

static void on_request(struct inbound *inbound, struct stream *stream, const struct head *head)
{
    struct worker *worker = inbound->group->owner;
    struct exchange_client client = client_of(inbound, head, worker->proxy.table);

    if (sock_group_is_full(&worker->socks))
        make_room(worker);
    if (is_too_many(worker, client.ip))
        refuse_request(worker, stream, head, client.ip, 429,
                       "more requests than limits.client-requests allows");
    else if (sock_group_is_full(&worker->socks))
        refuse_request(worker, stream, head, client.ip, 503,
                       "more bytes wait for slow readers than limits.buffered-total allows");
    else if (!sock_group_may_keep(&worker->socks) && prepare_is_long(head))
        refuse_request(worker, stream, head, client.ip, 503, shed_reason);
    else
        exchange_begin(&worker->proxy, stream, head, &client);
}

static void on_refused(struct inbound *inbound, uint16_t status, const char *reason,
                       struct view *fields, struct view *body)
{
    struct worker *worker = inbound->group->owner;

    answer_write_error(&worker->socks, (enum table_compat)worker->proxy.table->settings.compat,
                       status, view_of(reason), (struct view){NULL, 0}, fields, body);
    /* One that had become a request is recorded by its exchange. */
    if (!inbound->was_told)
        record_refused(&worker->proxy, view_of(inbound->client_ip), status, reason);
}

static void stop(struct worker *worker, int status)
{
    worker->status = status;
    loop_stop(&worker->loop);
}

static void on_closed(struct inbound *inbound)
{
    struct inbound_group *group = inbound->group;
    struct worker *worker = group->owner;
    struct address address;

    if (inbound->is_counted && address_from_ip(view_of(inbound->client_ip), 0, &address) == 0)
        limit_disconnect(&worker->limit, &address);
    SEGMENTS_SET(worker->counts->connections, group->count);
    if (worker->is_draining && group->count == 0)
        stop(worker, EXIT_SUCCESS);
}

static const struct inbound_events inbound_events = {
    .on_request = on_request,
    .on_refused = on_refused,
    .on_closed = on_closed,
};

/* ---- drain ---- */

static void on_drain_limit(struct timer *timer)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, drain_limit);

    inbound_group_abort(&worker->inbounds);
}

/* Accepts no more; what runs may end within `limit_ms`, idle connections stay for `idle_ms`. */
static void drain(struct worker *worker, uint64_t limit_ms, uint32_t idle_ms)
{
    if (worker->is_draining)
        return;
    worker->is_draining = true;
    proxy_drain(&worker->proxy);
    for (unsigned i = 0; i < worker->listener_count; i++) {
        /* What is closed with a connection in its queue resets it. */
        if (idle_ms && worker->is_started)
            listener_sweep(&worker->listeners[i]);
        listener_stop(&worker->listeners[i]);
        descriptor_close(&worker->listener_fds[i]);
    }
    if (!worker->is_started || worker->inbounds.count == 0) {
        stop(worker, EXIT_SUCCESS);
        return;
    }
    inbound_group_retire(&worker->inbounds, idle_ms);
    loop_start_timer(&worker->loop, &worker->drain_limit, limit_ms * CLOCK_US_PER_MS);
}

static int listener_at(struct handover *handover, unsigned number)
{
    const struct worker *worker = CONTAINER_OF(handover, struct worker, handover);

    return number < worker->listener_count ? worker->listener_fds[number] : -1;
}

static void on_handover_drain(struct handover *handover, uint64_t within_ms)
{
    drain(CONTAINER_OF(handover, struct worker, handover), within_ms, HANDOVER_IDLE_MS);
}

/* ---- the table and its settings ---- */

static uint32_t connections_max(const struct table_settings *settings)
{
    unsigned long descriptors = descriptor_raise_limit();
    unsigned long most =
        descriptors > DESCRIPTORS_RESERVED ? (descriptors - DESCRIPTORS_RESERVED) / 2 : 1;

    return settings->connections_max < most ? settings->connections_max : (uint32_t)most;
}

static struct inbound_settings inbound_settings_of(const struct table_settings *settings)
{
    size_t head_bytes =
        settings->header_bytes < HEAD_BYTES_MAX ? settings->header_bytes : HEAD_BYTES_MAX;

    return (struct inbound_settings){
        .limits = {.head_bytes = head_bytes,
                   .fields = settings->header_fields,
                   .target_bytes = settings->target_bytes},
        .body_bytes_max = settings->body_bytes,
        .header_timeout_ms = settings->header_timeout_ms,
        .idle_timeout_ms = settings->idle_timeout_ms,
        .connections_max = connections_max(settings),
        .requests_max = settings->requests_max,
        .lifetime_ms = settings->lifetime_ms,
        .pace = settings->pace,
    };
}

/* A keeper that died just now hears nothing; that is no reason to stop serving. */
static int tell_keeper(struct worker *worker, enum link_kind kind, uint64_t number)
{
    int result = link_send(&worker->link, kind, number, -1);

    return result == -EPIPE ? 0 : result;
}

static int adopt_table(struct worker *worker, int fd, uint64_t epoch)
{
    const struct table *table;
    struct error why;

    if (table_map(fd, &table, &why) < 0) {
        log_event(LOG_ERROR, "table.refused", LOG_TEXT("reason", why.text));
        return -EBADMSG;
    }
    proxy_adopt(&worker->proxy, table);
    limit_set(&worker->limit, &table->settings.client_limits);
    if (worker->is_started)
        worker->inbounds.settings = inbound_settings_of(&table->settings);
    return tell_keeper(worker, LINK_ADOPTED, epoch);
}

/* ---- start ---- */

static void want_stream(struct proxy *proxy)
{
    struct worker *worker = CONTAINER_OF(proxy, struct worker, proxy);

    if (link_send(&worker->link, LINK_WANT_STREAM, 0, -1) < 0)
        proxy_lose_link(proxy);
}

static int start_listeners(struct worker *worker)
{
    if (worker->handover_fd >= 0) {
        int result = handover_start(&worker->handover, &worker->loop, worker->handover_fd,
                                    listener_at, on_handover_drain);

        if (result < 0)
            return result;
    }
    for (unsigned i = 0; i < worker->listener_count; i++) {
        int result = listener_start(&worker->listeners[i], &worker->loop, worker->listener_fds[i],
                                    on_accept, worker);

        if (result < 0)
            return result;
    }
    return 0;
}

/* Everything is there: from here on this process can open nothing. */
static int start(struct worker *worker)
{
    struct inbound_settings settings;
    struct error why;

    if (!worker->proxy.table || worker->is_started) {
        log_event(LOG_ERROR, "worker.start.refused",
                  LOG_TEXT("reason", "told to start without a table"));
        return -EPROTO;
    }
    settings = inbound_settings_of(&worker->proxy.table->settings);
    inbound_group_init(&worker->inbounds, &worker->socks, &inbound_events, &settings, worker);
    if (sandbox_enter(&why) < 0) {
        log_event(LOG_ERROR, "worker.sandbox.failed", LOG_TEXT("reason", why.text));
        return -EPERM;
    }
    worker->is_started = true;
    if (start_listeners(worker) < 0) {
        log_event(LOG_ERROR, "worker.start.refused",
                  LOG_TEXT("reason", "a listening socket cannot be watched"));
        return -EPROTO;
    }
    return tell_keeper(worker, LINK_READY, 0);
}

static int take_listener(struct worker *worker, int *fd, uint64_t number)
{
    if (*fd < 0 || number >= TABLE_LISTENERS_MAX ||
        worker->listener_count == WORKER_LISTENERS_MAX || worker->is_started)
        return -EPROTO;
    worker->listener_numbers[worker->listener_count] = (uint16_t)number;
    worker->listener_fds[worker->listener_count++] = *fd;
    *fd = -1;
    return 0;
}

static int take_states(struct worker *worker, int fd)
{
    struct error why;

    return worker->states ? -EPROTO : segments_map_state(fd, &worker->states, &why);
}

static int take_guests(struct worker *worker, int fd)
{
    struct error why;

    return worker->guests ? -EPROTO : guests_map(fd, &worker->guests, &why);
}

/* The counts come last of the segments: then the proxy can be. */
static int take_counts(struct worker *worker, int fd)
{
    struct error why;

    if (worker->counts || !worker->states || !worker->guests ||
        segments_map_counts(fd, &worker->counts, &why) < 0)
        return -EPROTO;
    limit_init(&worker->limit, worker->guests, worker->counts->guests);
    proxy_init(&worker->proxy, &worker->loop, &worker->socks, worker->states, worker->counts);
    worker->proxy.want_stream = want_stream;
    return 0;
}

static int take_access_log(struct worker *worker, int *fd)
{
    if (!worker->counts)
        return -EPROTO;
    access_log_reopen(&worker->proxy.log, *fd);
    *fd = -1;
    return 0;
}

/* What the keeper says. A descriptor that is not taken over is closed by the caller. */
static int obey(struct worker *worker, const struct link_message *message, int *fd)
{
    if (message->kind >= LINK_TABLE && message->kind != LINK_DRAIN && !worker->counts)
        return -EPROTO;
    switch (message->kind) {
    case LINK_LISTENER:
        return take_listener(worker, fd, message->number);
    case LINK_HANDOVER:
        worker->handover_fd = *fd;
        *fd = -1;
        return 0;
    case LINK_STATES:
        return take_states(worker, *fd);
    case LINK_GUESTS:
        return take_guests(worker, *fd);
    case LINK_COUNTS:
        return take_counts(worker, *fd);
    case LINK_ACCESS_LOG:
        return take_access_log(worker, fd);
    case LINK_TABLE:
        return adopt_table(worker, *fd, message->number);
    case LINK_START:
        return start(worker);
    case LINK_STREAM:
        proxy_take_link_stream(&worker->proxy, *fd);
        *fd = -1;
        return 0;
    case LINK_LOOK:
        proxy_look(&worker->proxy);
        return 0;
    case LINK_DRAIN:
        drain(worker, message->number, 0);
        return 0;
    case LINK_RETIRE:
        drain(worker, message->number, HANDOVER_IDLE_MS);
        return 0;
    default:
        return -EPROTO;
    }
}

static void on_link_message(struct link *link, const struct link_message *message, int fd)
{
    struct worker *worker = link->owner;
    int result = obey(worker, message, &fd);

    descriptor_close(&fd);
    if (result >= 0)
        return;
    log_event(LOG_ERROR, "worker.link.refused", LOG_NUMBER("kind", message->kind),
              LOG_TEXT("reason", strerror(-result)));
    stop(worker, EXIT_FAILURE);
}

/* The keeper has gone. One that serves goes on: another keeper will find it. */
static void on_link_closed(struct link *link)
{
    struct worker *worker = link->owner;

    if (!worker->is_started) {
        stop(worker, EXIT_FAILURE);
        return;
    }
    log_event(LOG_WARN, "worker.link.closed",
              LOG_TEXT("reason", "the keeper has gone; serving goes on"));
    proxy_lose_link(&worker->proxy);
}

/* ---- the process ---- */

static void on_log_wait(struct timer *timer)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, log_wait);

    access_log_flush(&worker->proxy.log);
}

static void flush_log(struct worker *worker)
{
    size_t bytes = access_log_waiting(&worker->proxy.log);

    if (bytes >= LOG_BATCH_BYTES)
        access_log_flush(&worker->proxy.log);
    else if (bytes && !timer_is_running(&worker->log_wait))
        loop_start_timer(&worker->loop, &worker->log_wait, LOG_WAIT_US);
}

static void count_refusals(struct worker *worker)
{
    SEGMENTS_SET(worker->counts->sandbox_refusals, sandbox_refusals());
}

static void on_turn(void *owner)
{
    struct worker *worker = owner;

    if (!worker->counts)
        return;
    SEGMENTS_ADD(worker->counts->turns, 1);
    SEGMENTS_SET(worker->counts->connections, worker->inbounds.count);
    SEGMENTS_SET(worker->counts->log_dropped, worker->proxy.log.dropped);
    count_refusals(worker);
    flush_log(worker);
}

static void on_signal(struct signals *signals, uint32_t signal)
{
    (void)signal;
    drain(CONTAINER_OF(signals, struct worker, signals), 0, 0);
}

/* SIGTERM comes through the loop; what a terminal sends to the whole group is the keeper's
 * business. */
static int watch_signals(struct worker *worker, struct error *why)
{
    static const int heard[] = {SIGTERM, 0};

    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    return signals_start(&worker->signals, &worker->loop, heard, on_signal, why);
}

static int init(struct worker *worker, struct error *why)
{
    int result = loop_init(&worker->loop, why);

    if (result < 0)
        return result;
    worker->handover_fd = -1;
    worker->status = EXIT_SUCCESS;
    worker->loop.on_turn = on_turn;
    worker->loop.turn_owner = worker;
    worker->loop.never_forks = true;
    sock_group_init(&worker->socks, &worker->loop, SOCK_QUEUE_BYTES_MAX);
    timer_init(&worker->drain_limit, on_drain_limit);
    timer_init(&worker->log_wait, on_log_wait);
    result = watch_signals(worker, why);
    if (result < 0)
        return result;
    result = link_start(&worker->link, &worker->loop, LINK_WORKER_FD, on_link_message,
                        on_link_closed, worker);
    return result < 0 ? error_set(why, result, "the link to the keeper: %s", strerror(-result)) : 0;
}

static void finish(struct worker *worker)
{
    if (worker->is_started)
        inbound_group_abort(&worker->inbounds);
    timer_stop(&worker->drain_limit);
    timer_stop(&worker->log_wait);
    handover_stop(&worker->handover);
    /* What was just ended is disposed of, and its last bytes leave, at the end of a turn. */
    loop_turn(&worker->loop, 0);
    if (worker->counts)
        access_log_flush(&worker->proxy.log);
    link_stop(&worker->link);
    /* No turn follows that would tell of them. */
    if (worker->counts)
        count_refusals(worker);
}

int worker_main(void)
{
    static struct worker worker;
    struct error why;

    log_name_process("worker");
    if (init(&worker, &why) < 0) {
        log_event(LOG_ERROR, "worker.start.refused", LOG_TEXT("reason", why.text));
        return EXIT_FAILURE;
    }
    loop_run(&worker.loop);
    finish(&worker);
    return worker.status;
}
