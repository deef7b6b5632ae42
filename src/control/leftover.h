/*
 * What a keeper that did not end in order has left behind: workers that still serve, replicas that
 * still run. A new keeper takes it over or ends it; `roost stop` ends it.
 */
#pragma once

#include "control/folder.h"

/* Ends the replicas of an earlier keeper, politely at first, but for those of the `kept` services;
 * returns when nothing is left. */
MUST_USE int leftover_end_replicas(struct folder *folder, const char *const *kept, unsigned count,
                                   struct error *why);

/* Drains and ends workers and replicas of an earlier keeper; returns when nothing is left. The
 * folder is locked. */
MUST_USE int leftover_end(struct folder *folder, struct error *why);
