/*
 * How a run is getting on, on standard error: a bar on a terminal, a plain line a second elsewhere.
 * Owner: whoever started it, until load_progress_finish().
 */
#pragma once

#include "load/load_run.h"

struct load_progress {
    struct load_run *run;
    const char *title; /* before each line; may be another one at any time */
    double share;      /* how much is over, 0 … 1, as its owner knows; negative: the run's own */
    struct timer timer;
    uint64_t last_us;
    uint64_t last_answers;
    bool is_terminal;
    bool has_printed;
};

void load_progress_start(struct load_progress *progress, struct load_run *run, const char *title);

/* Wipes the bar away. */
void load_progress_finish(struct load_progress *progress);
