/*
 * What came back: counts, failures by kind, latencies, and the same over time.
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdbool.h>

#include "load/load_histogram.h"
#include "load/load_tally.h"

#define LOAD_RESULT_STATUS_MAX  600
#define LOAD_RESULT_MOMENTS_MAX 1000000 /* most pieces of a time line */

enum load_failure {
    LOAD_REFUSED,   /* no connection */
    LOAD_RESET,     /* ended without an answer */
    LOAD_TIMED_OUT, /* no whole answer in time */
    LOAD_BAD,       /* what came was no HTTP */
    LOAD_LOCAL,     /* this machine had no socket for it */
    LOAD_UNSENT,    /* due, but no connection was free before the end */
    LOAD_FAILURES
};

/* A piece of the time line. */
struct load_moment {
    uint32_t answers; /* of any status */
    uint32_t errors;  /* failures, and answers of status 400 and above */
    uint32_t p50_us;
    uint32_t p99_us;
    uint32_t max_us;
};

struct load_result {
    uint64_t requests; /* that have ended, one way or the other */
    uint64_t answers;
    uint64_t lost; /* no answer, or one of status 400 and above */
    uint64_t body_bytes;
    uint64_t statuses[LOAD_RESULT_STATUS_MAX];
    uint64_t failures[LOAD_FAILURES];
    struct load_histogram latency;
    struct load_histogram recent; /* since load_result_forget_recent() */
    struct load_tally replicas;
    uint64_t start_us;  /* counted from here, monotonic */
    uint64_t end_us;    /* of the last that ended */
    uint64_t moment_us; /* length of a moment, 0: no time line */
    uint64_t first_us;  /* when the time line begins */
    struct load_moment *moments;
    size_t moment_count;
    size_t moment_capacity;
    struct load_moment now; /* the piece that is being filled, and its latencies */
    struct load_histogram now_latency;
};

/* `moment_us` 0: no time line. */
void load_result_init(struct load_result *result, uint64_t moment_us, uint64_t now_us);
void load_result_finish(struct load_result *result);

/* An answer; `replica` as load_tally_find() says. */
void load_result_answer(struct load_result *result, uint16_t status, uint16_t replica,
                        uint64_t took_us, uint64_t now_us);
void load_result_fail(struct load_result *result, enum load_failure failure, uint64_t now_us);

/* Completes the time line; its last piece may be shorter. Nothing is counted afterwards. */
void load_result_close(struct load_result *result, uint64_t now_us);

void load_result_forget_recent(struct load_result *result);

double load_result_seconds(const struct load_result *result);
double load_result_rate(const struct load_result *result);

/* "refused", "reset", … */
const char *load_result_failure_name(enum load_failure failure);
