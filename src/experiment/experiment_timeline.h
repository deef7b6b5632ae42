/*
 * Counts per name over time, in a fixed number of pieces whose length doubles when time goes on:
 * bounded however long a log is.
 * Owner: the struct it is embedded in.
 */
#pragma once

#include "load/load_tally.h"

#define EXPERIMENT_TIMELINE_PIECES 512

struct experiment_timeline {
    struct load_tally names;
    uint32_t (*counts)[EXPERIMENT_TIMELINE_PIECES]; /* by entry of `names` */
    uint64_t first_ms;                              /* since 1970 */
    uint64_t last_ms;
    uint64_t piece_ms;
    uint64_t total;
};

void experiment_timeline_init(struct experiment_timeline *timeline);
void experiment_timeline_finish(struct experiment_timeline *timeline);

/* Times may come a little out of order; what is before the first one counts as then. */
void experiment_timeline_add(struct experiment_timeline *timeline, struct view name, uint64_t ms);

/* Pieces that have been reached. */
unsigned experiment_timeline_pieces(const struct experiment_timeline *timeline);
