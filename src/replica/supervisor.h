/*
 * Makes what runs follow what is wanted: starts replicas, finds out whether they are ready and
 * stay alive, starts again what ended, ends what is no longer wanted. One loop, nothing blocks.
 *
 * Becoming useful takes two steps, so that no request goes to a replica that not every worker
 * knows: the supervisor says that an incarnation is ready (batch done, or on_ready for a heal),
 * the owner publishes a table with its address, and once all workers have adopted that it calls
 * supervisor_confirm(): up. Leaving takes two as well: supervisor_leave() takes it out of
 * rotation, the owner publishes a table without it, and once all workers have adopted that it
 * calls supervisor_drain().
 *
 * Callbacks never come from inside a call, but for on_state and is_idle: on_state tells each
 * change as it happens. Calls may be made from inside callbacks, but for these two.
 *
 * Owner: the keeper.
 */
#pragma once

#include "replica/ports.h"
#include "replica/replica.h"

/* New replicas whose start is under way at once; the others wait their turn. */
#define SUPERVISOR_STARTS_MAX 32

/* Starts, heals included, in one turn of the loop: each costs a fork. */
#define SUPERVISOR_TURN_STARTS_MAX 16

/* How often a draining replica is asked whether it is idle. */
#define SUPERVISOR_DRAIN_TICK_US UINT64_C(20000)

/* How often one call of supervisor_add() starts a replica that ends before it is ready. */
#define SUPERVISOR_BATCH_STARTS_MAX 2

struct supervisor_events {
    /* It was `before` (REPLICA_GONE: it is new) and is replica->state now, for the reason
     * replica->why. */
    void (*on_state)(void *owner, struct replica *replica, enum replica_state before);
    /* A new incarnation answers at replica->address, in place of one that was lost (or of a replica
     * that was restored): to be published and then confirmed. */
    void (*on_ready)(void *owner, struct replica *replica);
    /* Are no requests in flight on this draining replica? NULL: the whole drain time is waited. */
    bool (*is_idle)(void *owner, const struct replica *replica);
    /* Nothing of it runs any more. Its memory goes at the end of the turn. */
    void (*on_gone)(void *owner, struct replica *replica);
};

/* One replica that is wanted. Copied by the callee but for the plan. */
struct supervisor_wish {
    const char *name;
    const struct replica_plan *plan;
    const char *handle; /* restore only: of an earlier keeper, or NULL */
};

/*
 * How a supervisor_add() ended, from the loop, once. `result` 0: all of `replicas` are ready, to
 * be published and confirmed. Else a negative errno with a sentence that names the replica: what
 * the call had started is leaving, and `replicas` are on their way out (on_gone follows for each).
 */
typedef void (*supervisor_added_fn)(void *owner, int result, const char *why,
                                    struct replica **replicas, unsigned count);

typedef void (*supervisor_fn)(void *owner);

struct supervisor {
    struct loop *loop;
    const struct supervisor_events *events;
    void *owner;
    struct health_group health;
    struct ports ports;
    struct list all;      /* of replicas by their `list`, oldest first; for everybody to walk */
    struct list heals;    /* of replicas to be started again: they go first */
    struct list queue;    /* of replicas to be started */
    struct list gone;     /* of replicas whose on_gone is owed */
    struct list batches;  /* calls of supervisor_add() that are under way */
    struct list listings; /* drivers being asked what they run */
    struct ready ready;   /* does what is owed, starts what may start */
    unsigned count;
    unsigned starting; /* replicas that take one of SUPERVISOR_STARTS_MAX */
    uint64_t next_id;
    uint32_t next_incarnation[REPLICA_SEATS_MAX];
    struct replica *seats[REPLICA_SEATS_MAX];
    supervisor_fn on_stopped; /* of supervisor_stop() */
    void *stop_owner;
    bool is_stopping;
};

void supervisor_init(struct supervisor *supervisor, struct sock_group *socks,
                     const struct supervisor_events *events, void *owner);

/* Lets go of everything: what runs goes on running. No callback is called. Not from inside one: the
 * loop turns once more in it. */
void supervisor_finish(struct supervisor *supervisor);

/*
 * Starts new replicas, all or none; `done` tells. -EEXIST (a name is there already), -ENOSPC (no
 * seat is left), -ESHUTDOWN (stopping), -ENOTSUP (the driver starts nothing): nothing was done and
 * `done` is not called.
 */
MUST_USE int supervisor_add(struct supervisor *supervisor, const struct supervisor_wish *wishes,
                            unsigned count, supervisor_added_fn done, void *owner,
                            struct error *why);

/*
 * The pool as it was declared or remembered: what the drivers find running is adopted, the rest is
 * started, and retried until it succeeds; on_ready comes for each. Things the drivers find that
 * are not wished for are stopped. Errors as in supervisor_add().
 */
MUST_USE int supervisor_restore(struct supervisor *supervisor, const struct supervisor_wish *wishes,
                                unsigned count, struct error *why);

/* Stops all that the plan's driver finds running and that is not in the pool: each appears as a
 * replica that is stopping. For supervisor_restore() with no wishes, and for ending what an
 * earlier keeper left. */
void supervisor_sweep(struct supervisor *supervisor, const struct replica_plan *plan);

/* Every worker knows this incarnation: up. Ignored where it is not ready or another one by now. */
void supervisor_confirm(struct supervisor *supervisor, struct replica *replica,
                        uint32_t incarnation);

/* Takes it out of rotation: draining, no longer probed nor healed; its name is free. It stays there
 * until supervisor_drain(), also where its run ends before that. */
void supervisor_leave(struct supervisor *supervisor, struct replica *replica);

/* Lets it finish for at most `drain_ms`, then stops it; on_gone. Leaves first where it has not. */
void supervisor_drain(struct supervisor *supervisor, struct replica *replica, uint32_t drain_ms);

/* Ends all: drain, SIGTERM, SIGKILL; `done` once nothing is left. Called again it ends all at once,
 * by SIGKILL; the last `done` counts. */
void supervisor_stop(struct supervisor *supervisor, uint32_t drain_ms, supervisor_fn done,
                     void *owner);

/* The replica of that service with that name that is not leaving, or NULL. */
struct replica *supervisor_find(const struct supervisor *supervisor, const char *service,
                                const char *name);

/* The table `epoch` was sent to the workers; every worker has it or a later one. */
void supervisor_epoch_published(struct supervisor *supervisor, uint64_t epoch);
void supervisor_epoch_adopted(struct supervisor *supervisor, uint64_t epoch);
