#include "control/live.h"

#include "control/keeper.h"
#include "control/workers_count.h"

enum seat_state live_seat_state(enum replica_state state)
{
    switch (state) {
    case REPLICA_STARTING:
    case REPLICA_READY:
        return SEAT_STARTING;
    case REPLICA_WARMING:
        return SEAT_WARMING;
    case REPLICA_UP:
        return SEAT_UP;
    case REPLICA_DOWN:
        return SEAT_DOWN;
    case REPLICA_DEAD:
    case REPLICA_PARKED:
        return SEAT_DEAD;
    case REPLICA_DRAINING:
    case REPLICA_STOPPING:
        return SEAT_DRAINING;
    default:
        return SEAT_EMPTY;
    }
}

/* Is it being healed, and expected back as soon as it can start? */
static bool is_returning(const struct replica *replica)
{
    switch (replica->state) {
    case REPLICA_DEAD:
        return replica->next_start_us <= replica->since_us;
    case REPLICA_STARTING:
    case REPLICA_READY:
        return replica->restarts > 0;
    default:
        return false;
    }
}

static void set_state(struct state_segment *states, const struct replica *replica,
                      enum seat_state state)
{
    if (is_returning(replica))
        segments_set_returning(states, replica->seat, replica->incarnation, state);
    else
        segments_set_state(states, replica->seat, replica->incarnation, state);
}

static void on_state(void *owner, struct replica *replica, enum replica_state before)
{
    struct keeper *keeper = owner;
    enum seat_state state = outlier_watch_seat_state(replica);
    bool is_back;

    outlier_watch_begin(&keeper->outliers, replica);
    if (replica->state == REPLICA_WARMING)
        tick_warm(&keeper->tick, replica);
    set_state(keeper->states, replica, state);
    events_pool_state(&keeper->pool_events, replica, before);
    /* One that is back may be waited for (proxy/hold.h). */
    is_back = replica->restarts > 0 && (state == SEAT_UP || state == SEAT_WARMING);
    /* One that is up again may end a panic. */
    if (state == SEAT_DOWN || state == SEAT_DEAD || is_back || before == REPLICA_DOWN)
        workers_look(&keeper->workers);
    keeper_look(keeper);
}

static struct crew *crew_of(const struct replica *replica)
{
    return CONTAINER_OF(replica->plan, struct crew, plan);
}

static void on_ready(void *owner, struct replica *replica)
{
    (void)owner;
    crew_let_in(crew_of(replica), replica);
}

static bool is_idle(void *owner, const struct replica *replica)
{
    const struct keeper *keeper = owner;

    return workers_count_in_flight(&keeper->workers, replica->seat) == 0;
}

static void on_gone(void *owner, struct replica *replica)
{
    (void)owner;
    crew_forget(crew_of(replica), replica);
}

const struct supervisor_events live_events = {
    .on_state = on_state,
    .on_ready = on_ready,
    .is_idle = is_idle,
    .on_gone = on_gone,
};
