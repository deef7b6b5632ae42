/*
 * GET /v1/ring: how the keys of a service are spread: the members with their slots, the scheme and
 * its settings. ?owners=true adds the owner of each slot, by index.
 */
#pragma once

#include "control/api.h"

void api_ring(struct api_request *request);
