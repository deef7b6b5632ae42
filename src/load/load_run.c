#include "load/load_run.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "load/load_greeting.h"

#define IDLE_MS 4000 /* Node closes at 5 s, roost at 60 */

/* Bytes of a body given to the connection at once, the next when these have left. */
#define PIECE_BYTES (128 * 1024)

/* After a failure that costs nothing a client waits, or it would fail as fast as it can. */
#define PAUSE_US (10 * CLOCK_US_PER_MS)

struct load_client {
    struct load_run *run;
    struct stream *stream; /* NULL: no request */
    struct list list;      /* idle */
    struct ready ready;
    struct timer timer;
    char *head;
    uint64_t begun_us; /* sent, or was due */
    uint64_t number;   /* among the counted ones */
    size_t body_sent;
    uint16_t status;
    bool is_counted;
    bool is_request_done;
    struct load_greeting greeting;
};

static void begin_next(struct load_client *client);
static void dispatch(struct load_run *run);

static bool is_open(const struct load_run *run)
{
    return run->plan.rate > 0;
}

/* ---- the end of a request ---- */

static void rest(struct load_client *client)
{
    struct load_run *run = client->run;

    client->stream = NULL;
    timer_stop(&client->timer);
    run->busy--;
    list_prepend(&run->idle, &client->list);
    loop_make_ready(run->loop, &client->ready);
}

static void fail(struct load_client *client, enum load_failure failure)
{
    struct load_run *run = client->run;
    bool is_cheap = failure == LOAD_REFUSED || failure == LOAD_LOCAL;

    if (client->is_counted)
        load_result_fail(&run->result, failure, clock_now_us());
    rest(client);
    if (!is_cheap)
        return;
    ready_cancel(&client->ready);
    loop_start_timer(run->loop, &client->timer, PAUSE_US);
}

static void on_head(struct stream *stream, const struct head *head)
{
    struct load_client *client = stream->holder;

    client->status = head->status;
    load_greeting_begin(&client->greeting, head);
}

static void on_body(struct stream *stream, struct view bytes)
{
    struct load_client *client = stream->holder;

    load_greeting_body(&client->greeting, bytes);
    if (client->is_counted)
        client->run->result.body_bytes += bytes.size;
    stream_consumed(stream, bytes.size);
}

static void on_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    struct load_client *client = stream->holder;
    struct load_run *run = client->run;

    (void)trailers;
    (void)count;
    if (client->is_counted) {
        uint64_t now_us = clock_now_us();
        uint16_t replica =
            load_tally_find(&run->result.replicas, load_greeting_name(&client->greeting));

        if (run->plan.owners)
            run->plan.owners[client->number] = client->status < 400 ? replica : LOAD_TALLY_NONE;
        load_result_answer(&run->result, client->status, replica, now_us - client->begun_us,
                           now_us);
    }
    rest(client);
}

static void on_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    static const enum load_failure kinds[] = {
        [STREAM_REFUSED] = LOAD_REFUSED, [STREAM_CLOSED] = LOAD_RESET,
        [STREAM_BAD] = LOAD_BAD,         [STREAM_TIMED_OUT] = LOAD_TIMED_OUT,
        [STREAM_TOO_LARGE] = LOAD_BAD,   [STREAM_SHUT_DOWN] = LOAD_RESET,
    };

    (void)why;
    fail(stream->holder, kinds[failure]);
}

/* ---- a request ---- */

static void send_body(struct load_client *client)
{
    struct view rest = view_after(client->run->plan.body, client->body_sent);

    while (rest.size && stream_queued(client->stream) == 0) {
        struct view piece = view_first(rest, PIECE_BYTES);

        stream_send_body(client->stream, piece);
        rest = view_after(rest, piece.size);
        client->body_sent += piece.size;
    }
    if (rest.size || client->is_request_done)
        return;
    client->is_request_done = true;
    stream_send_end(client->stream, VIEW(""));
}

static void on_drained(struct stream *stream)
{
    struct load_client *client = stream->holder;

    if (!client->is_request_done)
        send_body(client);
}

static const struct stream_events stream_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_reset = on_reset,
};

/* A body that fits leaves with its head in one system call. */
static void send_request(struct load_client *client, struct view text)
{
    const struct load_plan *plan = &client->run->plan;
    struct stream_head head = {
        .text = text,
        .method = plan->method,
        .body = {.kind = plan->has_body ? FRAMING_LENGTH : FRAMING_NONE, .length = plan->body.size},
    };
    struct view first = view_first(plan->body, PIECE_BYTES);

    client->is_request_done = first.size == plan->body.size;
    client->body_sent = first.size;
    stream_send_head(client->stream, &head);
    stream_send_body(client->stream, first);
    if (client->is_request_done)
        stream_send_end(client->stream, VIEW(""));
}

/* `due_us`: when it counts from. */
static void begin(struct load_client *client, uint64_t due_us)
{
    struct load_run *run = client->run;
    struct outbound_place where = {.address = run->plan.address};
    char text[LOAD_KEYS_BYTES];
    struct view head;

    list_remove(&client->list);
    ready_cancel(&client->ready);
    run->busy++;
    run->begun++;
    client->begun_us = due_us;
    client->status = 0;
    client->is_counted = due_us >= run->counted_us;
    if (client->is_counted)
        client->number = run->counted++;
    /* Each request has its key, sent or not: number and key belong together. */
    head = load_template_fill(run->plan.head, load_keys_next(run->plan.keys, text), client->head);
    if (outbound_start(&run->pool, &where, run->plan.timeout_ms, &stream_events, client,
                       &client->stream) < 0) {
        fail(client, LOAD_LOCAL);
        return;
    }
    loop_start_timer(run->loop, &client->timer, run->plan.timeout_ms * CLOCK_US_PER_MS);
    send_request(client, head);
}

static void on_timer(struct timer *timer)
{
    struct load_client *client = CONTAINER_OF(timer, struct load_client, timer);

    if (!client->stream) {
        begin_next(client);
        return;
    }
    stream_reset(client->stream);
    fail(client, LOAD_TIMED_OUT);
}

/* ---- closed: a client goes on by itself ---- */

static bool is_over(const struct load_run *run, uint64_t now_us)
{
    const struct load_plan *plan = &run->plan;

    return run->is_stopping || now_us >= run->stop_us ||
           (plan->requests && run->counted >= plan->requests);
}

static void begin_next(struct load_client *client)
{
    struct load_run *run = client->run;
    uint64_t now_us;

    if (is_open(run)) {
        dispatch(run);
        return;
    }
    now_us = clock_now_us();
    if (!is_over(run, now_us))
        begin(client, now_us);
}

static void on_ready(struct ready *ready)
{
    begin_next(CONTAINER_OF(ready, struct load_client, ready));
}

/* ---- open: the clock says when ---- */

static uint64_t due_us(const struct load_run *run, uint64_t number)
{
    return run->start_us + (uint64_t)((double)number * 1e6 / run->plan.rate);
}

static void set_clock(struct load_run *run, uint64_t at_us)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at_us / CLOCK_US_PER_S),
                     .tv_nsec = (long)(at_us % CLOCK_US_PER_S) * 1000},
    };

    timerfd_settime(run->clock.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* A client that pauses after a refusal is idle but not to be used yet. */
static struct load_client *take_idle(struct load_run *run)
{
    LIST_FOR_EACH (at, &run->idle) {
        struct load_client *client = CONTAINER_OF(at, struct load_client, list);

        if (!timer_is_running(&client->timer))
            return client;
    }
    return NULL;
}

/* Begins all that is due, as far as there are clients for it. */
static void dispatch(struct load_run *run)
{
    uint64_t now_us = clock_now_us();

    while (!run->is_stopping && run->begun < run->total) {
        uint64_t at_us = due_us(run, run->begun);
        struct load_client *client;

        if (at_us > now_us) {
            set_clock(run, at_us);
            return;
        }
        client = take_idle(run);
        if (!client)
            return;
        begin(client, at_us);
    }
}

static void on_clock(struct watch *watch, uint32_t events)
{
    struct load_run *run = CONTAINER_OF(watch, struct load_run, clock);
    uint64_t times;

    (void)events;
    if (read(watch->fd, &times, sizeof(times)) == sizeof(times))
        dispatch(run);
}

/* What was due and found no connection until the very end was never sent. */
static void on_end_timer(struct timer *timer)
{
    struct load_run *run = CONTAINER_OF(timer, struct load_run, end);

    while (!run->is_stopping && run->begun < run->total) {
        run->begun++;
        load_result_fail(&run->result, LOAD_UNSENT, clock_now_us());
    }
    run->is_stopping = true;
}

static int start_open(struct load_run *run, struct error *why)
{
    const struct load_plan *plan = &run->plan;
    double warm_up = (double)plan->warm_up_us / 1e6 * plan->rate;
    double most = plan->requests ? (double)plan->requests : 1e18;
    double until_us;
    int result;

    if (plan->duration_us && (double)plan->duration_us / 1e6 * plan->rate < most)
        most = (double)plan->duration_us / 1e6 * plan->rate;
    run->total = (uint64_t)(warm_up + most + 0.5);
    run->clock.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (run->clock.fd < 0)
        return error_set(why, -errno, "timerfd: %m");
    result = loop_add(run->loop, &run->clock, EPOLLIN, on_clock);
    if (result < 0)
        return error_set(why, result, "epoll refuses the clock");
    until_us = (double)run->total * 1e6 / plan->rate + plan->timeout_ms * 1e3;
    loop_start_timer(run->loop, &run->end, (uint64_t)until_us);
    set_clock(run, run->start_us);
    return 0;
}

/* ---- the run ---- */

static void make_clients(struct load_run *run)
{
    size_t room = load_template_room(run->plan.head, LOAD_KEYS_BYTES);

    run->clients = memory_allocate(run->plan.connections * sizeof(*run->clients));
    for (unsigned i = 0; i < run->plan.connections; i++) {
        struct load_client *client = &run->clients[i];

        client->run = run;
        client->head = memory_allocate(room);
        ready_init(&client->ready, on_ready);
        timer_init(&client->timer, on_timer);
        list_append(&run->idle, &client->list);
    }
}

int load_run_start(struct load_run *run, struct sock_group *socks, const struct load_plan *plan,
                   struct error *why)
{
    struct outbound_settings settings = {
        .limits = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX},
        .idle_ms = IDLE_MS,
        .idle_max = plan->is_closing ? 0 : plan->connections,
    };
    int result = 0;

    *run = (struct load_run){.plan = *plan, .loop = socks->loop, .clock.fd = -1};
    /* Outside a turn the loop's clock is that of the last one. */
    run->loop->now_us = clock_now_us();
    run->start_us = run->loop->now_us;
    run->counted_us = run->start_us + plan->warm_up_us;
    run->stop_us = plan->duration_us ? run->counted_us + plan->duration_us : UINT64_MAX;
    load_result_init(&run->result, plan->moment_us, run->counted_us);
    outbound_pool_init(&run->pool, socks, &settings);
    list_init(&run->idle);
    timer_init(&run->end, on_end_timer);
    make_clients(run);
    if (is_open(run))
        result = start_open(run, why);
    for (unsigned i = 0; i < plan->connections && !is_open(run); i++)
        loop_make_ready(run->loop, &run->clients[i].ready);
    if (result < 0)
        load_run_finish(run);
    return result;
}

void load_run_stop(struct load_run *run)
{
    run->is_stopping = true;
}

bool load_run_is_done(const struct load_run *run)
{
    if (run->busy)
        return false;
    if (is_open(run))
        return run->is_stopping || run->begun >= run->total;
    return is_over(run, clock_now_us());
}

static double share(double done, double all)
{
    return done < all ? done / all : 1;
}

double load_run_progress(const struct load_run *run)
{
    const struct load_plan *plan = &run->plan;
    double by_count =
        plan->requests ? share((double)run->result.requests, (double)plan->requests) : 0;
    uint64_t now_us = clock_now_us();
    double by_time = 0;

    if (plan->duration_us && now_us > run->counted_us)
        by_time = share((double)(now_us - run->counted_us), (double)plan->duration_us);
    return by_count > by_time ? by_count : by_time;
}

void load_run_finish(struct load_run *run)
{
    timer_stop(&run->end);
    loop_remove(run->loop, &run->clock);
    descriptor_close(&run->clock.fd);
    for (unsigned i = 0; run->clients && i < run->plan.connections; i++) {
        struct load_client *client = &run->clients[i];

        if (client->stream)
            stream_reset(client->stream);
        timer_stop(&client->timer);
        ready_cancel(&client->ready);
    }
    outbound_pool_finish(&run->pool);
    for (unsigned i = 0; run->clients && i < run->plan.connections; i++)
        free(run->clients[i].head);
    free(run->clients);
    load_result_finish(&run->result);
}
