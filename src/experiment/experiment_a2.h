/* the same requests over 2 to 6 replicas, one more at each step. */
#pragma once

#include <jansson.h>

#include "experiment/experiment_rig.h"

#define EXPERIMENT_A2_FIRST 2
#define EXPERIMENT_A2_LAST  6

/* `result` is the caller's. -errno with a sentence. */
MUST_USE int experiment_a2(struct experiment_rig *rig, const struct experiment_options *options,
                           json_t **result, struct error *why);

/* The same up to `last` replicas, with `title` before the progress. */
MUST_USE int experiment_a2_steps(struct experiment_rig *rig,
                                 const struct experiment_options *options, unsigned last,
                                 const char *title, json_t **result, struct error *why);

void experiment_a2_print(const json_t *result);
