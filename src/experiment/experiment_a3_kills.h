/* Replicas are killed, hung, added and removed while requests keep coming at a fixed rate. */
#pragma once

#include <jansson.h>

#include "experiment/experiment_rig.h"

/*
 * On a balancer with Server 1 … Server 3, which has them again afterwards. `result` becomes an
 * object: what the load saw, with its time line, and `events`: at_ms, what, replica, and as far as
 * it applies noticed_ms, healed_ms, took_ms.
 */
MUST_USE int experiment_a3_kills(struct experiment_rig *rig,
                                 const struct experiment_options *options, json_t **result,
                                 struct error *why);
