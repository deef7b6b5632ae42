/* A-4: A-1 and A-2 for every scheme and every pair of classic functions. */
#pragma once

#include <jansson.h>

#include "experiment/experiment_rig.h"

/* `result` is the caller's. -errno with a sentence. */
MUST_USE int experiment_a4(struct experiment_rig *rig, const struct experiment_options *options,
                           json_t **result, struct error *why);

void experiment_a4_print(const json_t *result);
