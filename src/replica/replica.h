/*
 * One replica: a name, its state, and what runs for it. The states and the ways between them are
 * one table (replica.c).
 *
 *     starting → ready → (warming) → up ⇄ down
 *         ↑                            │
 *     dead, parked ←──────── any of these that ended
 *     any of these → draining → stopping → gone
 *
 * Owner: the supervisor, from supervisor_add() until on_gone has returned and the turn of the loop
 * is over. Everybody else reads it and writes nothing.
 */
#pragma once

#include "base/list.h"
#include "net/loop.h"
#include "replica/backoff.h"
#include "replica/driver.h"
#include "replica/health.h"

/* Seats, and so replicas at once. */
#define REPLICA_SEATS_MAX (OUTBOUND_PLACES_MAX - 1) /* the last place is the link to the keeper */

#define REPLICA_WHY_BYTES 256

enum replica_state {
    REPLICA_STARTING, /* being started, or not ready yet */
    REPLICA_READY,    /* answers; waits for supervisor_confirm() */
    REPLICA_WARMING,  /* gets a growing share of its own slots */
    REPLICA_UP,
    REPLICA_DOWN,     /* a probe's verdict: runs and does not answer */
    REPLICA_DEAD,     /* gone, will be started again soon */
    REPLICA_PARKED,   /* gone, keeps crashing: started again after a long delay */
    REPLICA_DRAINING, /* leaves: gets no new requests, finishes what it has */
    REPLICA_STOPPING, /* asked to end */
    REPLICA_GONE,
    REPLICA_STATES
};

/*
 * What the replicas of one service have in common. Owner: the caller of supervisor_add(), who keeps
 * it until the last of them is gone; new settings are a new plan for new replicas.
 */
struct replica_plan {
    const char *service;
    struct driver *driver;
    struct health_settings health;
    uint32_t grace_ms;   /* between SIGTERM and SIGKILL */
    uint32_t warming_ms; /* 0: none */
    uint32_t hang_ms;    /* down for that long: started anew; 0: never */
};

/* What one run uses (usage.h writes it). */
struct replica_usage {
    uint64_t read_us;      /* when, monotonic; 0: not known */
    uint64_t cpu_us;       /* processor time since the start of the run */
    uint64_t memory_bytes; /* resident */
    double cpu_percent;    /* of one core, over the time between the last two readings */
    bool has_percent;
};

struct batch;
struct supervisor;

struct replica {
    /* For everybody to read. */
    char name[DRIVER_NAME_BYTES];
    const struct replica_plan *plan;
    uint64_t id;            /* never used again */
    uint32_t seat;          /* its place in segments and pools, as long as it lives */
    uint32_t incarnation;   /* changes with each start; (seat, incarnation) is never used again */
    struct address address; /* of this incarnation; size 0 before the first start */
    enum replica_state state;
    char why[REPLICA_WHY_BYTES]; /* why it is in this state; may be empty */
    uint64_t since_us;           /* in this state, monotonic */
    uint64_t since_wall_ms;
    uint64_t next_start_us; /* dead and parked: when it is started again, monotonic */
    uint64_t down_us;       /* when it was last lost while in use, monotonic; 0: never */
    uint64_t healed_us;     /* how long the last heal took, from the loss to its confirmation */
    uint32_t restarts;      /* starts after the first one */
    pid_t pid;              /* 0: none */
    pid_t container_pid;    /* of a container's first process, as its Engine counts; 0: none */
    struct replica_usage usage;
    char handle[DRIVER_HANDLE_BYTES]; /* empty: nothing runs */
    void *owner_data;                 /* the owner's to set and use */

    /* The supervisor's. */
    struct supervisor *supervisor;
    struct batch *batch;    /* the call that waits for it, or NULL */
    struct driver_run *run; /* or NULL */
    struct health health;
    struct backoff backoff;
    struct timer timer; /* to the next start, of the drain, of the hang, of the warming */
    struct list list;   /* of all */
    struct list queue;  /* of those that wait to be started, or of those that are gone */
    struct garbage garbage;
    uint64_t up_us;           /* since when this run is in use; 0: is not */
    uint64_t timer_due_us;    /* when the timer should fire */
    uint64_t drain_until_us;  /* stopping begins then at the latest */
    uint8_t batch_failures;   /* starts that failed before the batch was done */
    bool is_kill_restart : 1; /* what the next start is, for the back-off */
    bool is_hang : 1;         /* is being ended because it hung */
    bool is_late : 1;         /* is being ended because it was not ready in time */
    bool is_drained : 1;      /* supervisor_drain() was called */
    bool is_published : 1;    /* workers may know it: it has something to drain */
    bool is_found : 1;        /* `handle` is of an earlier keeper: to be adopted */
    bool is_adopted : 1;      /* its run was started by an earlier keeper */
    bool awaits_list : 1;     /* the driver is being asked whether it runs already */
    bool takes_slot : 1;      /* is one of supervisor->starting */
};

/* "starting", "ready" ... as people and the API read them. */
const char *replica_state_name(enum replica_state state);

/* May a replica go from one to the other? */
bool replica_may_become(enum replica_state from, enum replica_state to);

/* Changes the state with its time and reason; the way must be in the table. */
void replica_become(struct replica *replica, enum replica_state state, uint64_t now_us,
                    const char *why);

/* Is it on its way out: draining, stopping or gone? Its name is free then. */
bool replica_is_leaving(const struct replica *replica);
