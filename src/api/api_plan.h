/*
 * POST /v1/plan: what a change of a pool would move, without making it:
 *
 *     {"add": {"count": 1, "names": ["S4"]}, "remove": {"names": ["S1"]}, "weights": {"S2": 3}}
 *
 * The answer names those it was computed for. Its epoch, as If-Match of the real change, lets that
 * happen only while the plan holds.
 */
#pragma once

#include "control/api.h"

void api_plan(struct api_request *request);
