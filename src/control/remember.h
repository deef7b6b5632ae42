/*
 * The pool a service begins with: what is declared, or what is remembered, or where the declaration
 * has changed since then, what is remembered with the difference applied. Pure.
 */
#pragma once

#include "config/config.h"
#include "control/state.h"

enum remember_result {
    REMEMBER_NEW,     /* nothing was remembered: the declaration */
    REMEMBER_SAME,    /* the same declaration: the state wins */
    REMEMBER_CHANGED, /* another declaration: the difference was applied */
};

/* Makes `pool` (the caller's) from what `service` declares and what was `known` of it. */
enum remember_result remember_pool(const struct config_service *service,
                                   const struct state_pool *known, struct state_pool *pool);

/* Would the replicas of that declaration be started in another way than those of this service?
 * Then what still runs of them is of no use. */
bool remember_is_other_kind(const struct config_service *service, const struct state_pool *known);
