/*
 * One start of one replica as a container, step by step: created, started, running, stopped,
 * removed. Inside of driver_docker.c and driver_docker_watch.c.
 *
 * Owner: the driver.
 */
#pragma once

#include "replica/dockhand_order.h"
#include "replica/driver_docker.h"
#include "replica/driver_docker_name.h"

/*
 * What a run waits for. One that the supervisor knows nothing of any more (is_told) lives on until
 * its container is removed: its name is not free before.
 */
enum run_state {
    RUN_QUEUED,   /* its turn */
    RUN_CREATING, /* create, and what is in its way removed */
    RUN_STARTING, /* start, or inspect for one that is adopted */
    RUN_RUNNING,
    RUN_STOPPING, /* stop */
    RUN_REMOVING, /* remove */
};

struct docker_run {
    struct driver_run run;
    struct list list;
    struct timer timer; /* what failed is tried again */
    struct ready ready; /* it is over, and that is to be told */
    struct watch exit;  /* the end of its first process, where that can be seen; else fd -1 */
    struct garbage garbage;
    enum run_state state;
    char replica[DRIVER_NAME_BYTES];
    char name[DRIVER_DOCKER_NAME_BYTES];
    char id[DOCKHAND_ORDER_ID_BYTES]; /* of its container; empty: none */
    char end_why[DRIVER_WHY_BYTES];
    enum driver_end end;
    int end_result; /* for on_failed */
    unsigned tries;
    uint32_t grace_s;
    uint64_t give_up_us; /* stopping, or waiting for the Engine: not longer */
    uint64_t known_us;   /* when it was last known to run */
    bool may_wait : 1;   /* for the Engine, as long as it takes */
    bool is_adopted : 1;
    bool is_started : 1; /* on_started was told */
    bool is_stopped : 1; /* it is to end */
    bool is_dead : 1;    /* its container has ended; how is in end and end_why */
    bool is_told : 1;    /* the supervisor knows that it is over */
    bool has_oom : 1;
};

/* Is the Engine there? */
enum presence { PRESENCE_UNKNOWN, PRESENCE_HERE, PRESENCE_AWAY };

struct driver_docker {
    struct driver driver;
    struct loop *loop;
    struct dockhand_link link;
    struct list runs;
    struct ready pump;
    struct timer look; /* for the next list, or the next try to hear events */
    enum presence presence;
    char away_why[DRIVER_WHY_BYTES];
    bool hears; /* the stream of events is open or being opened */
    bool looks; /* a list of our own is under way */
    uint64_t looked_us;
    uint64_t found_until_us; /* the listing that is asked for has so long */
    int64_t seen_ns;         /* the time of the last event */
    char node[DOCKHAND_CHARTER_NODE_BYTES];
    char service[DOCKHAND_CHARTER_SERVICE_BYTES];
    uint16_t port;
    driver_found_fn on_found; /* of the listing that is asked for, or NULL */
    void *found_owner;
    struct timer relist; /* the listing that is asked for, once more */
};

static inline struct driver_docker *driver_docker_run_driver(const struct docker_run *run)
{
    return CONTAINER_OF(run->run.driver, struct driver_docker, driver);
}

/* It waits for its turn then. */
struct docker_run *driver_docker_run_create(struct driver_docker *self,
                                            const struct driver_order *order,
                                            const struct driver_events *events, void *holder);

/* The driver's stop(). */
void driver_docker_run_stop(struct docker_run *run, uint32_t grace_ms);

/* Its container has ended, with that exit status by the Engine's word. */
void driver_docker_run_note_exit(struct docker_run *run, int code);

/*
 * It is over. One that may be started again is told of at once, while its container still goes;
 * one that was to stop is over when nothing is left of it.
 */
void driver_docker_run_end(struct docker_run *run, enum driver_end how, const char *why);

/* Forgets it without a word. */
void driver_docker_run_release(struct docker_run *run);

/* Starts those whose turn it is: struct driver_docker's `pump`. */
void driver_docker_run_pump(struct ready *ready);

/* Does a result say that the Engine could not be asked? */
bool driver_docker_run_is_absence(int result);
