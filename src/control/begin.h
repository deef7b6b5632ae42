/* What the services begin with: the remembered pools made to fit what is declared now. */
#pragma once

#include "config/config.h"
#include "control/folder.h"
#include "control/state.h"

/*
 * Fills in a pool for each service (each ends with state_forget_pool(), on failure too), remembers
 * what has changed, and ends the replicas of an earlier keeper that nobody can use: of services
 * that are gone, or whose replicas are started in another way now.
 */
MUST_USE int begin_pools(struct state *state, struct folder *folder, const struct config *config,
                         struct state_pool *pools, struct error *why);
