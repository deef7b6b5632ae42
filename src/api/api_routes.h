/* Which path is whose: all that the API answers. One file of this folder a resource. */
#pragma once

#include "control/api.h"

/* Ends with one whose path is NULL. */
extern const struct api_route api_routes[];
