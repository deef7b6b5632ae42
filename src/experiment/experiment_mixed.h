/* A workload as in production: skewed keys, small and large answers, slow ones, a replica that
 * stutters, and replicas that fail one after the other. */
#pragma once

#include <jansson.h>

#include "experiment/experiment_rig.h"

/* `result` is the caller's. -errno with a sentence. */
MUST_USE int experiment_mixed(struct experiment_rig *rig, const struct experiment_options *options,
                              json_t **result, struct error *why);

void experiment_mixed_print(const json_t *result);
