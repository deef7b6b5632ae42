/*
 * Latencies in log-linear buckets (as in Tene's HdrHistogram): 64 of equal width for each power of
 * two, so that a quantile is right to 1 %. Microseconds, up to 19 hours.
 * Owner: the struct it is embedded in; plain memory.
 */
#pragma once

#include <stdint.h>

#define LOAD_HISTOGRAM_SUB_BITS 6
#define LOAD_HISTOGRAM_TOP_BITS 36
#define LOAD_HISTOGRAM_BUCKETS                                                                     \
    ((LOAD_HISTOGRAM_TOP_BITS - LOAD_HISTOGRAM_SUB_BITS + 1) << LOAD_HISTOGRAM_SUB_BITS)

struct load_histogram {
    uint64_t count;
    uint64_t sum_us;
    uint64_t min_us;
    uint64_t max_us;
    uint32_t buckets[LOAD_HISTOGRAM_BUCKETS];
};

void load_histogram_clear(struct load_histogram *histogram);
void load_histogram_add(struct load_histogram *histogram, uint64_t us);

/* The latency that the share `quantile` (0 … 1) of all does not exceed; 0 where there is none. */
uint64_t load_histogram_quantile_us(const struct load_histogram *histogram, double quantile);
double load_histogram_mean_us(const struct load_histogram *histogram);

/* The smallest latency that bucket counts; of LOAD_HISTOGRAM_BUCKETS: the end of the last. */
uint64_t load_histogram_start_us(unsigned bucket);
