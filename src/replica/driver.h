/*
 * A driver knows one way to run replicas: as processes, as containers, or not at all (addresses of
 * servers that somebody else runs). One driver object runs the replicas of one service. To write a
 * new one: one file with a create function and the table below, and one test (driver_static.c is
 * the smallest, driver_process.c a whole one).
 *
 * One start of one replica is a run. Its life is told by events, in this order: on_started once or
 * on_failed; after on_started, perhaps on_ending, on_ended once. Events come from the loop, never
 * from inside a call that the supervisor makes. After on_failed, on_ended or let_go the run is
 * gone: the driver frees it when the event returns.
 *
 * Nothing here may block: what takes time is answered later by an event. What a driver starts
 * outlives the program, so that a new keeper can adopt it by its handle.
 *
 * Owner of a driver: who created it; it ends with driver_destroy() when no run is left. Owner of a
 * run: the driver.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "net/address.h"
#include "replica/ports.h"

#define DRIVER_NAME_BYTES   64  /* of a replica, with its zero */
#define DRIVER_HANDLE_BYTES 128 /* with its zero */
#define DRIVER_WHY_BYTES    ERROR_TEXT_BYTES

struct driver;
struct driver_run;

/* What to start. Valid during the call. */
struct driver_order {
    const char *name; /* letters, digits, space . _ -, first and last a letter or digit */
    const struct address *previous; /* where its last run was: taken again where it can; or NULL */
    struct ports *ports;            /* for drivers that need a port of this machine */
    uint64_t id;                    /* of the replica: who keeps its port */
    bool may_wait; /* nobody waits for it: what it needs may take its time to come */
};

/* What runs now. */
struct driver_started {
    struct address address;
    char handle[DRIVER_HANDLE_BYTES]; /* text without line breaks; adopt() understands it, also
                                         after a restart of the machine: then it refuses */
    pid_t pid;                        /* 0: none */
    pid_t container_pid;              /* of a container's first process, as its Engine counts */
};

/* How a run ended. */
enum driver_end {
    DRIVER_EXITED, /* by itself: an exit status, or a signal of its own making */
    DRIVER_KILLED, /* by somebody's SIGKILL, SIGTERM or SIGINT, ours among them */
    DRIVER_LOST,   /* it is gone and nobody can say why */
};

struct driver_events {
    /* It runs; whether it is ready is found out by probing. */
    void (*on_started)(struct driver_run *run, const struct driver_started *started);
    /* It could not be started: a negative errno (-EEXIST where what it would be is somebody else's)
     * and a sentence. The run is over. */
    void (*on_failed)(struct driver_run *run, int result, const char *why);
    /* It has ended, and how is still being found out: on_ended follows. NULL: nobody wants to know.
     */
    void (*on_ending)(struct driver_run *run, const char *why);
    /* It is gone, with all that belonged to it; `why` is a short text ("exit status 1", "SIGKILL").
     * The run is over. */
    void (*on_ended)(struct driver_run *run, enum driver_end end, const char *why);
};

/* Each driver's own struct begins with it. */
struct driver_run {
    struct driver *driver;
    const struct driver_events *events;
    void *holder;
};

/* Called once for each thing found; at the end with `name` NULL, and then `why` is NULL or the
 * reason why not all could be found. */
typedef void (*driver_found_fn)(void *owner, const char *name, const char *handle, const char *why);

/* The table that a driver fills. */
struct driver_calls {
    const char *name; /* "process" */

    /* Starts a replica: run->driver, events and holder are the callee's to fill. -errno with a
     * sentence where it is plain at once that it cannot be done: no run and no event then. */
    int (*start)(struct driver *driver, const struct driver_order *order,
                 const struct driver_events *events, void *holder, struct driver_run **run,
                 struct error *why);

    /* Takes over what an earlier keeper started under that name: on_started follows, or on_failed
     * where it is not there any more or is something else. NULL: handles are not kept, start() is
     * used instead. */
    int (*adopt)(struct driver *driver, const struct driver_order *order, const char *handle,
                 const struct driver_events *events, void *holder, struct driver_run **run,
                 struct error *why);

    /* Tells all that runs for this driver's service, whoever started it: on_found comes from the
     * loop. NULL: nothing outlives a keeper. */
    void (*list)(struct driver *driver, driver_found_fn on_found, void *owner);

    /* Ends it: asked politely first, by force after `grace_ms` (0: at once). on_ended follows, or
     * on_failed for a run that has not started yet. Again: the earlier end counts. */
    void (*stop)(struct driver_run *run, uint32_t grace_ms);

    /* The supervisor hears no more of the run, what runs goes on running. */
    void (*let_go)(struct driver_run *run);

    /* No run is left. */
    void (*destroy)(struct driver *driver);
};

/* Each driver's own struct begins with it. */
struct driver {
    const struct driver_calls *calls;
    bool can_restart; /* false: what is gone is waited for, never started again (static) */
};

/* What follows "Server " in a name of that form, else the name: the SERVER_ID that a replica is
 * given. Valid as long as `name`. */
const char *driver_server_id(const char *name);

/* NULL is harmless. */
static inline void driver_destroy(struct driver *driver)
{
    if (driver)
        driver->calls->destroy(driver);
}
