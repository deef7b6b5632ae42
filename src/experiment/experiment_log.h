/* `roost experiment log`: who got how many requests when, from an access log. */
#pragma once

#include <jansson.h>

#include "experiment/experiment_rig.h"

/* `result` is the caller's. -errno with a sentence. Starts no balancer. */
MUST_USE int experiment_log(struct experiment_rig *rig, const struct experiment_options *options,
                            json_t **result, struct error *why);

void experiment_log_print(const json_t *result);
