#include "control/counts.h"

void counts_add_total(struct counts_total *sum, const struct count_segment *segment)
{
    sum->requests += SEGMENTS_READ(segment->requests);
    sum->errors += SEGMENTS_READ(segment->errors);
    sum->retries += SEGMENTS_READ(segment->retries);
    sum->log_dropped += SEGMENTS_READ(segment->log_dropped);
    sum->in_flight += SEGMENTS_READ(segment->in_flight);
    sum->connections += SEGMENTS_READ(segment->connections);
    sum->sandbox_refusals += SEGMENTS_READ(segment->sandbox_refusals);
    for (size_t i = 0; i < ARRAY_SIZE(sum->statuses); i++)
        sum->statuses[i] += SEGMENTS_READ(segment->statuses[i]);
}

void counts_add_seat(struct counts_seat *sum, const struct count_segment *segment, uint32_t seat)
{
    const struct count_seat *more = &segment->seats[seat];

    sum->requests += SEGMENTS_READ(more->requests);
    sum->failures += SEGMENTS_READ(more->failures);
    sum->not_found += SEGMENTS_READ(more->not_found);
    sum->bad += SEGMENTS_READ(more->bad);
    sum->good += SEGMENTS_READ(more->good);
    sum->in_flight += SEGMENTS_READ(more->in_flight);
    for (unsigned i = 0; i < COUNT_BUCKETS; i++)
        sum->latency[i] += SEGMENTS_READ(more->latency[i]);
}

void counts_fold(struct counts *counts, const struct count_segment *segment)
{
    counts_add_total(&counts->total, segment);
    counts->total.in_flight = 0;
    counts->total.connections = 0;
    for (uint32_t seat = 0; seat < TABLE_REPLICAS_MAX; seat++) {
        counts_add_seat(&counts->seats[seat], segment, seat);
        counts->seats[seat].in_flight = 0;
    }
}

static uint64_t less(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

void counts_subtract(struct counts_seat *now, const struct counts_seat *before)
{
    now->requests = less(now->requests, before->requests);
    now->failures = less(now->failures, before->failures);
    now->not_found = less(now->not_found, before->not_found);
    now->bad = less(now->bad, before->bad);
    now->good = less(now->good, before->good);
    for (unsigned i = 0; i < COUNT_BUCKETS; i++)
        now->latency[i] = less(now->latency[i], before->latency[i]);
}
