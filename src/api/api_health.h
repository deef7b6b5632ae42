/* Is it there, does it live, may it be sent traffic? */
#pragma once

#include "control/api.h"

void api_health_check(struct api_request *request);
void api_health_live(struct api_request *request);
void api_health_ready(struct api_request *request);
