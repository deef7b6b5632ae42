/*
 * What the workers have counted, summed: those that live, read from their segments, and those that
 * are gone, folded in here so that nothing leaks with them.
 *
 * Owner: the keeper. Nothing that a worker wrote is trusted beyond being a number.
 */
#pragma once

#include <stdint.h>

#include "proxy/segments.h"

struct counts_seat {
    uint64_t requests;
    uint64_t failures;
    uint64_t not_found;
    uint64_t bad; /* see proxy/segments.h */
    uint64_t good;
    uint64_t in_flight;
    uint64_t latency[COUNT_BUCKETS];
};

struct counts_total {
    uint64_t requests;
    uint64_t errors;
    uint64_t retries;
    uint64_t log_dropped;
    uint64_t in_flight;
    uint64_t connections;
    uint64_t statuses[6];
    uint64_t sandbox_refusals;
};

/* Of all workers that are gone. */
struct counts {
    struct counts_total total;
    struct counts_seat seats[TABLE_REPLICAS_MAX];
};

/* Adds what a worker has counted; what is in flight too. */
void counts_add_total(struct counts_total *sum, const struct count_segment *segment);
void counts_add_seat(struct counts_seat *sum, const struct count_segment *segment, uint32_t seat);

/* Keeps everything of a worker that has ended; nothing of it is in flight any more. */
void counts_fold(struct counts *counts, const struct count_segment *segment);

/* What `now` has more than `before`, which never leaves a number below zero; in flight stays. */
void counts_subtract(struct counts_seat *now, const struct counts_seat *before);
