/* requests over three replicas. */
#pragma once

#include <jansson.h>

#include "experiment/experiment_rig.h"

/* `result` is the caller's. -errno with a sentence. */
MUST_USE int experiment_a1(struct experiment_rig *rig, const struct experiment_options *options,
                           json_t **result, struct error *why);

/* As a person reads it, to standard output. */
void experiment_a1_print(const json_t *result);
