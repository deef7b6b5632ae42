/* every endpoint and every error; then replicas are killed and hung under load. */
#pragma once

#include <jansson.h>

#include "experiment/experiment_rig.h"

/* `result` is the caller's. -errno with a sentence. */
MUST_USE int experiment_a3(struct experiment_rig *rig, const struct experiment_options *options,
                           json_t **result, struct error *why);

void experiment_a3_print(const json_t *result);
