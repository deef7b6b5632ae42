#include "replica/health.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "http/h1_write.h"

/* Most bytes of the head of its answer. */
#define ANSWER_HEAD_BYTES (16 * 1024)

static const struct stream_events stream_events;

static void send_probe(struct health *health);

void health_group_init(struct health_group *group, struct sock_group *socks)
{
    /* A probe asks a fresh connection: it is to find out whether one can be had. */
    const struct outbound_settings settings = {
        .limits = {.head_bytes = ANSWER_HEAD_BYTES, .fields = HEAD_FIELDS_MAX},
        .idle_ms = 1,
        .idle_max = 0,
    };

    *group = (struct health_group){.loop = socks->loop};
    outbound_pool_init(&group->pool, socks, &settings);
}

void health_group_observe(struct health_group *group, health_answered_fn answered_us, void *owner)
{
    group->answered_us = answered_us;
    group->answered_owner = owner;
}

void health_group_finish(struct health_group *group)
{
    outbound_pool_finish(&group->pool);
}

/* ---- what the answers and misses mean ---- */

static uint64_t now_of(const struct health *health)
{
    return health->group->loop->now_us;
}

static void wait_us(struct health *health, uint64_t delay_us)
{
    health->due_us = now_of(health) + delay_us;
    loop_start_timer(health->group->loop, &health->timer, delay_us);
}

static uint64_t jittered(uint64_t delay_us)
{
    uint64_t most = delay_us * HEALTH_JITTER_PERCENT / 100;

    return delay_us - most + random_below(2 * most + 1);
}

static void set_verdict(struct health *health, enum health_verdict verdict)
{
    if (health->verdict == verdict)
        return;
    health->verdict = verdict;
    health->on_verdict(health, verdict);
}

static uint64_t start_deadline_us(const struct health *health)
{
    return health->started_us + health->settings->start_ms * CLOCK_US_PER_MS;
}

/* Readiness: fast for a second, then a tenth of the time it has taken so far, up to a limit. */
static uint64_t ready_delay_us(const struct health *health)
{
    uint64_t waited_us = now_of(health) - health->started_us;

    if (waited_us < HEALTH_READY_FAST_US)
        return HEALTH_READY_US;
    return waited_us / 10 < HEALTH_READY_SLOW_US ? waited_us / 10 : HEALTH_READY_SLOW_US;
}

static void miss_readiness(struct health *health)
{
    uint64_t now_us = now_of(health);
    uint64_t end_us = start_deadline_us(health);
    uint64_t delay_us = ready_delay_us(health);

    if (now_us >= end_us) {
        set_verdict(health, HEALTH_NOT_READY);
        return;
    }
    wait_us(health, delay_us < end_us - now_us ? delay_us : end_us - now_us);
}

static void miss(struct health *health)
{
    if (health->awaits_ready) {
        miss_readiness(health);
        return;
    }
    health->successes = 0;
    health->misses++;
    wait_us(health, health->misses < health->settings->fall
                        ? HEALTH_SOON_US
                        : jittered(health->settings->interval_ms * CLOCK_US_PER_MS));
    if (health->misses >= health->settings->fall)
        set_verdict(health, HEALTH_DOWN);
}

static void succeed(struct health *health)
{
    health->why[0] = '\0';
    if (health->awaits_ready) {
        set_verdict(health, HEALTH_READY);
        return;
    }
    health->misses = 0;
    health->excused = 0;
    health->successes++;
    wait_us(health, health->verdict == HEALTH_DOWN && health->successes < health->settings->rise
                        ? HEALTH_SOON_US
                        : jittered(health->settings->interval_ms * CLOCK_US_PER_MS));
    if (health->successes >= health->settings->rise)
        set_verdict(health, HEALTH_UP);
}

/* ---- one probe ---- */

static struct health *health_of(const struct stream *stream)
{
    return stream->holder;
}

static void on_head(struct stream *stream, const struct head *head)
{
    health_of(stream)->status = head->status;
}

static void on_body(struct stream *stream, struct view bytes)
{
    stream_consumed(stream, bytes.size);
}

static void on_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    struct health *health = health_of(stream);

    (void)trailers;
    (void)count;
    health->stream = NULL;
    timer_stop(&health->timer);
    if (health->status >= 200 && health->status <= 399) {
        succeed(health);
        return;
    }
    snprintf(health->why, sizeof(health->why), "%.80s answered %u", health->settings->path,
             health->status);
    miss(health);
}

static void on_drained(struct stream *stream)
{
    (void)stream;
}

static void on_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    struct health *health = health_of(stream);

    (void)failure;
    health->stream = NULL;
    timer_stop(&health->timer);
    snprintf(health->why, sizeof(health->why), "%.80s: %.60s", health->settings->path, why);
    miss(health);
}

static const struct stream_events stream_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_reset = on_reset,
};

static uint64_t timeout_us(const struct health *health)
{
    uint64_t timeout_us = health->settings->timeout_ms * CLOCK_US_PER_MS;

    /* The first answer of a cold server may take its time. */
    if (health->awaits_ready && timeout_us < HEALTH_READY_TIMEOUT_US)
        return HEALTH_READY_TIMEOUT_US;
    return timeout_us;
}

/* The same for all probes of a watch; kept, because it has to stay until it is sent. */
static void write_head(struct health *health)
{
    char address[ADDRESS_TEXT_BYTES];
    struct h1_writer writer;

    address_to_text(&health->where.address, address);
    h1_write_init(&writer, health->head, sizeof(health->head));
    h1_write_request_line(&writer, VIEW("GET"), view_of(health->settings->path));
    h1_write_field(&writer, VIEW("Host"), view_of(address));
    h1_write_field(&writer, VIEW("User-Agent"), VIEW("roost-health"));
    h1_write_field(&writer, VIEW("Connection"), VIEW("close"));
    assert(!writer.is_full);
    health->head_bytes = (uint16_t)h1_write_result(&writer).size;
}

static void send_probe(struct health *health)
{
    uint64_t patience_us = timeout_us(health);
    struct stream *stream;
    int result;

    health->status = 0;
    result =
        outbound_start(&health->group->pool, &health->where,
                       (uint32_t)(patience_us / CLOCK_US_PER_MS), &stream_events, health, &stream);
    if (result < 0) {
        /* Our own lack of descriptors says nothing about the replica. */
        wait_us(health, HEALTH_SOON_US);
        return;
    }
    health->group->probes++;
    health->stream = stream;
    wait_us(health, patience_us);
    stream_send_head(stream, &(struct stream_head){.text = {health->head, health->head_bytes},
                                                   .body = {.kind = FRAMING_NONE},
                                                   .method = METHOD_GET});
    stream_send_end(stream, VIEW(""));
}

static bool is_excused(const struct health *health)
{
    const struct health_group *group = health->group;
    uint64_t just_us = timeout_us(health) / HEALTH_JUST_PARTS;

    return group->answered_us && health->verdict == HEALTH_UP &&
           health->excused < HEALTH_EXCUSED_MAX &&
           group->answered_us(group->answered_owner, health->where.place) + just_us >=
               now_of(health);
}

static void on_timeout(struct health *health, bool is_late)
{
    stream_reset(health->stream);
    health->stream = NULL;
    if (!is_late && is_excused(health)) {
        health->excused++;
        wait_us(health, HEALTH_SOON_US);
        return;
    }
    if (is_late) {
        /* What the replica would have said in time, nobody knows. */
        wait_us(health, HEALTH_READY_US);
        return;
    }
    snprintf(health->why, sizeof(health->why), "%.80s: no answer within %u ms",
             health->settings->path, (unsigned)(timeout_us(health) / CLOCK_US_PER_MS));
    miss(health);
}

static void on_timer(struct timer *timer)
{
    struct health *health = CONTAINER_OF(timer, struct health, timer);
    uint64_t late_us = now_of(health) - health->due_us;
    bool is_late = late_us > HEALTH_LATE_US;

    /* It is we who slept: that time was nobody's. */
    if (is_late)
        health->started_us += late_us;
    if (health->stream) {
        on_timeout(health, is_late);
        return;
    }
    send_probe(health);
}

/* ---- watches ---- */

void health_init(struct health *health, struct health_group *group,
                 const struct health_settings *settings, health_fn on_verdict)
{
    *health = (struct health){.group = group, .settings = settings, .on_verdict = on_verdict};
    timer_init(&health->timer, on_timer);
}

static void begin(struct health *health, const struct outbound_place *where)
{
    health_stop(health);
    health->where = *where;
    health->started_us = now_of(health);
    health->misses = 0;
    health->successes = 0;
    health->excused = 0;
    health->why[0] = '\0';
    write_head(health);
}

void health_await_ready(struct health *health, const struct outbound_place *where)
{
    begin(health, where);
    health->awaits_ready = true;
    health->verdict = HEALTH_UNKNOWN;
    send_probe(health);
}

void health_watch(struct health *health, const struct outbound_place *where)
{
    begin(health, where);
    health->awaits_ready = false;
    health->verdict = HEALTH_UP;
    /* Spread, so that replicas started together are not probed together. */
    wait_us(health, 1 + random_below(health->settings->interval_ms * CLOCK_US_PER_MS));
}

void health_stop(struct health *health)
{
    timer_stop(&health->timer);
    if (!health->stream)
        return;
    stream_reset(health->stream);
    health->stream = NULL;
}
