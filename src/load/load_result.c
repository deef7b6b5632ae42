#include "load/load_result.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

static const char *const failure_names[LOAD_FAILURES] = {
    "refused", "reset", "timed_out", "bad_answer", "no_socket", "unsent",
};

void load_result_init(struct load_result *result, uint64_t moment_us, uint64_t now_us)
{
    *result = (struct load_result){
        .start_us = now_us, .end_us = now_us, .first_us = now_us, .moment_us = moment_us};
    load_tally_init(&result->replicas);
}

void load_result_finish(struct load_result *result)
{
    load_tally_finish(&result->replicas);
    free(result->moments);
    *result = (struct load_result){0};
}

static void end_moment(struct load_result *result)
{
    struct load_moment *now = &result->now;

    now->p50_us = (uint32_t)load_histogram_quantile_us(&result->now_latency, 0.5);
    now->p99_us = (uint32_t)load_histogram_quantile_us(&result->now_latency, 0.99);
    now->max_us = (uint32_t)result->now_latency.max_us;
    if (result->moment_count == result->moment_capacity) {
        result->moment_capacity = result->moment_capacity * 2 + 256;
        result->moments =
            memory_resize(result->moments, result->moment_capacity * sizeof(*result->moments));
    }
    result->moments[result->moment_count++] = *now;
    *now = (struct load_moment){0};
    if (result->now_latency.count)
        load_histogram_clear(&result->now_latency);
}

static void fill_moments(struct load_result *result, uint64_t now_us)
{
    uint64_t due;

    if (!result->moment_us || now_us < result->first_us)
        return;
    due = (now_us - result->first_us) / result->moment_us;
    while (result->moment_count < due && result->moment_count < LOAD_RESULT_MOMENTS_MAX)
        end_moment(result);
}

void load_result_close(struct load_result *result, uint64_t now_us)
{
    fill_moments(result, now_us);
    if (result->now.answers || result->now.errors)
        end_moment(result);
}

static void count_end(struct load_result *result, bool is_lost, uint64_t now_us)
{
    fill_moments(result, now_us);
    result->requests++;
    result->end_us = now_us;
    if (!is_lost)
        return;
    result->lost++;
    result->now.errors++;
}

void load_result_answer(struct load_result *result, uint16_t status, uint16_t replica,
                        uint64_t took_us, uint64_t now_us)
{
    count_end(result, status >= 400, now_us);
    result->answers++;
    result->now.answers++;
    if (status < LOAD_RESULT_STATUS_MAX)
        result->statuses[status]++;
    if (replica != LOAD_TALLY_NONE)
        result->replicas.entries[replica].count++;
    load_histogram_add(&result->latency, took_us);
    load_histogram_add(&result->recent, took_us);
    if (result->moment_us)
        load_histogram_add(&result->now_latency, took_us);
}

void load_result_fail(struct load_result *result, enum load_failure failure, uint64_t now_us)
{
    count_end(result, true, now_us);
    result->failures[failure]++;
}

void load_result_forget_recent(struct load_result *result)
{
    load_histogram_clear(&result->recent);
}

double load_result_seconds(const struct load_result *result)
{
    return (double)(result->end_us - result->start_us) / (double)CLOCK_US_PER_S;
}

double load_result_rate(const struct load_result *result)
{
    double seconds = load_result_seconds(result);

    return seconds > 0 ? (double)result->answers / seconds : 0;
}

const char *load_result_failure_name(enum load_failure failure)
{
    return failure_names[failure];
}
