/* GET /stats: what was served, by whom, and where the keys go. */
#pragma once

#include "control/api.h"
#include "proxy/table.h"

void api_stats(struct api_request *request);

/* The part of the keys each member owns, in the order of the crew's members: share[i] of 1. */
void api_stats_shares(const struct table *table, unsigned service, double *shares);
