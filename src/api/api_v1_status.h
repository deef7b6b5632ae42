/* GET /v1/status: the node as it is now, whole. GET /v1/services: what is balanced. */
#pragma once

#include "control/api.h"

void api_v1_status(struct api_request *request);
void api_v1_status_services(struct api_request *request);
