/* GET …/replicas/NAME/log: what a replica wrote last, as text. ?bytes=N: no more than that. */
#pragma once

#include "control/api.h"

#define API_V1_LOG_BYTES     (64 * 1024)
#define API_V1_LOG_BYTES_MAX (8 * 1024 * 1024)

void api_v1_log(struct api_request *request);
