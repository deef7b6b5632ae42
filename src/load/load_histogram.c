#include "load/load_histogram.h"

#include <string.h>

#define SUB   (1u << LOAD_HISTOGRAM_SUB_BITS)
#define TOP   ((UINT64_C(1) << LOAD_HISTOGRAM_TOP_BITS) - 1)
#define LARGE (LOAD_HISTOGRAM_BUCKETS - 1)

void load_histogram_clear(struct load_histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
}

static unsigned bucket_of(uint64_t us)
{
    unsigned power;

    if (us < SUB)
        return (unsigned)us;
    if (us > TOP)
        return LARGE;
    power = 63u - (unsigned)__builtin_clzll(us) - LOAD_HISTOGRAM_SUB_BITS;
    return power * SUB + (unsigned)(us >> power);
}

uint64_t load_histogram_start_us(unsigned bucket)
{
    unsigned power = bucket / SUB;

    if (bucket < 2 * SUB)
        return bucket;
    return (uint64_t)(bucket % SUB + SUB) << (power - 1);
}

void load_histogram_add(struct load_histogram *histogram, uint64_t us)
{
    if (histogram->count == 0 || us < histogram->min_us)
        histogram->min_us = us;
    if (us > histogram->max_us)
        histogram->max_us = us;
    histogram->count++;
    histogram->sum_us += us;
    histogram->buckets[bucket_of(us)]++;
}

static uint64_t within(uint64_t us, uint64_t least, uint64_t most)
{
    if (us < least)
        return least;
    return us < most ? us : most;
}

uint64_t load_histogram_quantile_us(const struct load_histogram *histogram, double quantile)
{
    double wanted = quantile * (double)histogram->count;
    uint64_t seen = 0;

    if (histogram->count == 0)
        return 0;
    for (unsigned i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++) {
        uint64_t start = load_histogram_start_us(i);

        seen += histogram->buckets[i];
        if (histogram->buckets[i] && (double)seen >= wanted)
            return within((start + load_histogram_start_us(i + 1) - 1) / 2, histogram->min_us,
                          histogram->max_us);
    }
    return histogram->max_us;
}

double load_histogram_mean_us(const struct load_histogram *histogram)
{
    return histogram->count ? (double)histogram->sum_us / (double)histogram->count : 0;
}
