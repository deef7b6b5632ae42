/*
 * GET /v1/explain?key=K: where a key goes and why: its hash, its slot, the replicas in the order
 * they are asked in, and why one of them is passed over. What a single worker knows alone (a
 * replica that has just refused it) is not in it.
 */
#pragma once

#include "control/api.h"

/* Ranks that are shown. */
#define API_EXPLAIN_RANKS_MAX 16

void api_explain(struct api_request *request);
