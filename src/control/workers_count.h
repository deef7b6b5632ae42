/* What all workers have counted together: each counts in a segment of its own. */
#pragma once

#include "control/counts.h"
#include "control/outlier.h"
#include "control/workers.h"

/* Sums over the living and the gone. */
struct counts_total workers_count_total(const struct workers *workers);
void workers_count_seat(const struct workers *workers, uint32_t seat, struct counts_seat *sum);

/* What replicas are judged by: the same, but for figures->wait, which is untouched and ... */
void workers_count_answers(const struct workers *workers, uint32_t seat,
                           struct outlier_figures *figures);

/* ... summed here, over the living alone. */
void workers_count_waits(const struct workers *workers, uint32_t seat,
                         uint64_t wait[COUNT_BUCKETS]);

/* Requests in flight to a seat now. */
uint32_t workers_count_in_flight(const struct workers *workers, uint32_t seat);
