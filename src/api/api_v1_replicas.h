/*
 * The pool of a service: /v1/services/S/replicas and /v1/services/S/replicas/NAME; /v1/replicas is
 * that of the first service.
 *
 * Every answer has the epoch as its ETag. If-Match makes a change only while keys are placed as in
 * that epoch: 412 otherwise, and nothing was done. A heal is a new epoch and places no key anew, so
 * it makes nothing stale.
 */
#pragma once

#include "control/api.h"

void api_v1_replicas_list(struct api_request *request);
void api_v1_replicas_get(struct api_request *request);

/* {"count": 2, "names": ["S4"]}: 201 once they serve. */
void api_v1_replicas_add(struct api_request *request);

/* The same body for several; a path for one. */
void api_v1_replicas_remove(struct api_request *request);
void api_v1_replicas_remove_one(struct api_request *request);

/* {"weight": 2} or {"drain": true}; drain: false gives back the configured weight. */
void api_v1_replicas_change(struct api_request *request);
