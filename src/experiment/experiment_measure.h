/*
 * One measurement: requests with drawn keys to the running balancer, and what is to be said of
 * their answers.
 */
#pragma once

#include <jansson.h>

#include "experiment/experiment_placement.h"
#include "experiment/experiment_rig.h"
#include "load/load_run.h"

/* The answers' replicas by request number, as indices of a placement's names. */
struct experiment_owners {
    uint16_t *of; /* LOAD_TALLY_NONE: no answer */
    uint64_t count;
};

/*
 * Sends options->requests of them to GET /home, keys from options->seed. `result` becomes an
 * object: requests, lost, duration_s, requests_per_s, counts, expected, average, cv,
 * peak_to_average, chi2, chi2_p, as_placed (answered by the very replica the library names; null
 * where keys do not count), p50_ms …, errors. `owners` (may be NULL) gets who answered what; its
 * memory is the caller's.
 */
MUST_USE int experiment_measure(struct experiment_rig *rig,
                                const struct experiment_options *options,
                                const struct experiment_placement *placement, const char *title,
                                struct experiment_owners *owners, json_t **result,
                                struct error *why);

/* A run of any kind against the rig, waited for: `plan` but for address, head and keys. The result
 * is in `run`, which the caller finishes. `path` may say {key}. */
struct experiment_run {
    struct load_run run;
    struct load_template head;
    struct load_keys keys;
};

MUST_USE int experiment_measure_begin(struct experiment_run *run, struct experiment_rig *rig,
                                      const struct load_plan *plan, const char *path,
                                      const char *keys, uint64_t seed, struct error *why);
MUST_USE int experiment_measure_await(struct experiment_run *run, struct experiment_rig *rig,
                                      const char *title, struct error *why);
void experiment_measure_finish(struct experiment_run *run);
