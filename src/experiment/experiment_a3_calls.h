/* Every endpoint and every error of the assignment, called once. */
#pragma once

#include <jansson.h>

#include "experiment/experiment_rig.h"

/* On a balancer with Server 1 … Server 3, which has them again afterwards. `calls` becomes a list
 * of objects: call, body, expected, status, answer, took_ms, is_right. */
MUST_USE int experiment_a3_calls(struct experiment_rig *rig, json_t **calls, struct error *why);
