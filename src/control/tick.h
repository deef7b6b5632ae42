/*
 * What the workers are told of each other and of the time, in the state segment: requests in flight
 * over all of them (for the schemes and services that ask), and how warm a warming replica is.
 * Runs only while somebody needs it.
 *
 * Owner: the keeper.
 */
#pragma once

#include "config/config.h"
#include "control/workers.h"
#include "net/loop.h"
#include "proxy/segments.h"
#include "replica/supervisor.h"

#define TICK_US UINT64_C(10000)

/* A warming replica begins with that part of its own slots' keys. */
#define TICK_WARM_FIRST_PERCENT 5

struct tick {
    struct loop *loop;
    struct state_segment *states;
    const struct supervisor *supervisor;
    const struct workers *workers;
    struct timer timer;
    bool counts_load; /* some service asks what is in flight */
};

/* Runs from now on where the configuration asks for it. */
void tick_init(struct tick *tick, const struct config *config, struct state_segment *states,
               const struct supervisor *supervisor, const struct workers *workers);

/* Another configuration is in force. */
void tick_configure(struct tick *tick, const struct config *config);
void tick_finish(struct tick *tick);

/* A replica begins to warm; to be called before the workers hear of it. */
void tick_warm(struct tick *tick, const struct replica *replica);
