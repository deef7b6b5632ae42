#include "replica/replica.h"

#include <assert.h>
#include <stdio.h>

#include "base/attribute.h"
#include "base/clock.h"

#define TO(state) (1u << REPLICA_##state)

/* What every state may lead to unless it is on its way out already. */
#define TO_ENDED (TO(DEAD) | TO(PARKED) | TO(DRAINING))

static const struct {
    const char *name;
    unsigned next; /* bit mask of states */
} states[REPLICA_STATES] = {
    [REPLICA_STARTING] = {"starting", TO(READY) | TO_ENDED},
    [REPLICA_READY] = {"ready", TO(WARMING) | TO(UP) | TO_ENDED},
    [REPLICA_WARMING] = {"warming", TO(UP) | TO(DOWN) | TO_ENDED},
    [REPLICA_UP] = {"up", TO(DOWN) | TO_ENDED},
    [REPLICA_DOWN] = {"down", TO(UP) | TO_ENDED},
    /* Twice, where it is known first that it has ended and then how. */
    [REPLICA_DEAD] = {"dead", TO(STARTING) | TO(DEAD) | TO(PARKED) | TO(DRAINING)},
    [REPLICA_PARKED] = {"parked", TO(STARTING) | TO(DRAINING)},
    [REPLICA_DRAINING] = {"draining", TO(STOPPING)},
    [REPLICA_STOPPING] = {"stopping", TO(GONE)},
    [REPLICA_GONE] = {"gone", 0},
};

const char *replica_state_name(enum replica_state state)
{
    assert(state < REPLICA_STATES);
    return states[state].name;
}

bool replica_may_become(enum replica_state from, enum replica_state to)
{
    assert(from < REPLICA_STATES && to < REPLICA_STATES);
    return (states[from].next & (1u << to)) != 0;
}

void replica_become(struct replica *replica, enum replica_state state, uint64_t now_us,
                    const char *why)
{
    assert(replica_may_become(replica->state, state));
    replica->state = state;
    replica->since_us = now_us;
    replica->since_wall_ms = clock_wall_ms();
    if (why && why != replica->why)
        snprintf(replica->why, sizeof(replica->why), "%s", why);
    if (!why)
        replica->why[0] = '\0';
}

bool replica_is_leaving(const struct replica *replica)
{
    return replica->state == REPLICA_DRAINING || replica->state == REPLICA_STOPPING ||
           replica->state == REPLICA_GONE;
}
