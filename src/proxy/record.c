#include "proxy/record.h"

#include "base/clock.h"

void record_begin(struct exchange *x)
{
    struct count_segment *counts = x->proxy->counts;

    SEGMENTS_ADD(counts->requests, 1);
    SEGMENTS_ADD(counts->in_flight, 1);
}

/* What a replica says of itself when it is broken. Any other status is an answer. */
static bool is_bad(uint16_t status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

/* A replica on probation may be tried with another one. */
static void end_trial(struct exchange *x)
{
    struct proxy_seat *seat = &x->proxy->seats[x->seat];

    if (x->is_trial && seat->incarnation == x->incarnation && seat->trials)
        seat->trials--;
    x->is_trial = false;
}

/* The time that only the replica took: a client that is slow to send is not its fault. */
static void count_wait(const struct exchange *x, struct count_seat *seat)
{
    uint64_t from_us = x->whole_us > x->attempt_us ? x->whole_us : x->attempt_us;

    if (x->is_request_whole)
        SEGMENTS_ADD(seat->wait[segments_bucket(x->first_byte_us - from_us)], 1);
}

void record_answer(struct exchange *x)
{
    struct count_seat *seat = &x->proxy->counts->seats[x->seat];

    if (!x->is_counted)
        return;
    end_trial(x);
    count_wait(x, seat);
    if (is_bad(x->replica_status)) {
        SEGMENTS_ADD(seat->bad, 1);
        SEGMENTS_ADD(seat->bad_run, 1);
        return;
    }
    SEGMENTS_ADD(seat->good, 1);
    SEGMENTS_SET(seat->good_us, x->first_byte_us);
    if (UNLIKELY(SEGMENTS_READ(seat->bad_run)))
        SEGMENTS_SET(seat->bad_run, 0);
}

void record_end_attempt(struct exchange *x, bool is_well)
{
    struct count_seat *seat = &x->proxy->counts->seats[x->seat];
    /* How long a tunnel stood says nothing of its replica: how soon it was there does. */
    uint64_t end_us = x->is_tunnel ? x->first_byte_us : x->proxy->loop->now_us;
    uint64_t took_us = end_us - x->attempt_us;

    if (!x->is_counted)
        return;
    x->is_counted = false;
    end_trial(x);
    proxy_count_in_flight(x->proxy, x->seat, -1);
    if (!is_well) {
        SEGMENTS_ADD(seat->failures, 1);
        return;
    }
    if (!x->replica_status)
        return;
    SEGMENTS_ADD(seat->requests, 1);
    SEGMENTS_ADD(seat->latency[segments_bucket(took_us)], 1);
    if (x->replica_status == 404)
        SEGMENTS_ADD(seat->not_found, 1);
}

static uint64_t wall_ms(struct proxy *proxy)
{
    if (!proxy->wall_ms || proxy->wall_turn != proxy->loop->turns) {
        proxy->wall_turn = proxy->loop->turns;
        proxy->wall_ms = clock_wall_ms();
    }
    return proxy->wall_ms;
}

static void log_exchange(const struct exchange *x)
{
    const struct table *table = x->proxy->table;
    uint64_t now_us = x->proxy->loop->now_us;
    struct access_record record = {
        .method = x->method_text,
        .path = x->target,
        .host = x->host,
        .client_ip = x->from.ip,
        .request_id = x->request_id,
        .replica = x->replica[0] ? view_of(x->replica) : (struct view){NULL, 0},
        .why = x->why,
        .failure = x->failure_text,
        .slot = x->replica[0] ? (int64_t)x->slot : -1,
        .rank = x->replica[0] ? (int64_t)x->rank : -1,
        .attempts = x->attempts,
        .status = x->status,
        .replica_status = x->replica_status,
        .bytes_in = x->bytes_in,
        .bytes_out = x->bytes_out,
        .took_us = now_us - x->start_us,
        .first_byte_us = x->first_byte_us ? (int64_t)(x->first_byte_us - x->start_us) : -1,
        .held_us = x->held_us,
    };

    if (!x->is_link && x->replica[0] && x->service < table->service_count)
        record.service = view_of(table_services(table)[x->service].name);
    access_log_add(&x->proxy->log, &record, wall_ms(x->proxy));
}

void record_client_done(struct exchange *x)
{
    struct count_segment *counts = x->proxy->counts;
    unsigned class = x->status / 100;

    x->client = NULL;
    if (x->is_recorded)
        return;
    x->is_recorded = true;
    SEGMENTS_ADD(counts->in_flight, (uint32_t)-1);
    if (class < ARRAY_SIZE(counts->statuses))
        SEGMENTS_ADD(counts->statuses[class], 1);
    if (x->status >= 500 && x->failure_text)
        SEGMENTS_ADD(counts->errors, 1);
    if (access_log_is_on(&x->proxy->log))
        log_exchange(x);
}

uint16_t record_status_of(enum stream_failure failure)
{
    switch (failure) {
    case STREAM_BAD:
        return 400;
    case STREAM_TIMED_OUT:
        return 408;
    case STREAM_TOO_LARGE:
        return 413;
    case STREAM_SHUT_DOWN:
        return 503;
    default:
        return 499;
    }
}

struct view record_find_field(struct view text, struct view name)
{
    while (text.size) {
        size_t end = view_find(text, '\r');
        struct view line = view_first(text, end);

        text = view_after(text, end + 2);
        if (line.size > name.size + 2 && line.data[name.size] == ':' &&
            view_equals_nocase(view_first(line, name.size), name))
            return view_after(line, name.size + 2);
    }
    return (struct view){NULL, 0};
}

void record_refused(struct proxy *proxy, struct view client_ip, uint16_t status, const char *reason)
{
    struct access_record record = {
        .client_ip = client_ip,
        .why = "refused",
        .failure = reason,
        .slot = -1,
        .rank = -1,
        .status = status,
        .first_byte_us = -1,
    };

    SEGMENTS_ADD(proxy->counts->requests, 1);
    if (status / 100 < ARRAY_SIZE(proxy->counts->statuses))
        SEGMENTS_ADD(proxy->counts->statuses[status / 100], 1);
    if (access_log_is_on(&proxy->log))
        access_log_add(&proxy->log, &record, clock_wall_ms());
}
