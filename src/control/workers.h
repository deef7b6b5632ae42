/*
 * The workers of this start: spawns them, hands them what they need, starts one again that crashed
 * (on the same listening sockets), sends tables, knows which epoch each of them has adopted.
 *
 * Owner: the keeper.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "control/counts.h"
#include "control/folder.h"
#include "control/listeners.h"
#include "net/loop.h"
#include "proxy/guests.h"
#include "proxy/link.h"

#define WORKERS_MAX 256

/* A worker whose loop does not turn for that long, though it is asked to, is aborted; one that does
 * not end by that within the second time is killed. */
#define WORKERS_STUCK_US UINT64_C(5000000)
#define WORKERS_ABORT_US UINT64_C(1000000)

/* A worker that crashes is started again at once; one that does so soon after its start waits,
 * twice as long each time. */
#define WORKERS_SOON_US       UINT64_C(5000000)
#define WORKERS_PAUSE_US      UINT64_C(50000)
#define WORKERS_PAUSE_MOST_US UINT64_C(2000000)

/* So many crashes of workers that never became ready end a start. */
#define WORKERS_FAILURES_MAX 3

struct workers_one {
    struct list list;
    struct workers *workers;
    struct workers_post *post; /* NULL: it was retired, or its generation given up */
    struct link link;
    struct watch exit; /* its pidfd */
    struct garbage garbage;
    const struct count_segment *counts;
    char name[FOLDER_NAME_BYTES]; /* of its files in the run folder */
    pid_t pid;
    unsigned number;
    uint64_t started_us;
    uint64_t started_wall_ms;
    uint64_t sent;     /* newest epoch it was sent */
    uint64_t adopted;  /* newest epoch it has acknowledged */
    uint64_t turns;    /* when last looked at, ... */
    uint64_t still_us; /* ... and how long it has been that, in time the keeper was running */
    bool is_ready;
};

/* A place that always has a worker. */
struct workers_post {
    struct workers *workers;
    struct workers_one *one; /* NULL: between two of them */
    struct timer restart;
    uint64_t pause_us;
    bool is_former; /* of the generation that is about to be replaced */
};

struct workers_events {
    /* Every post has a worker that accepts connections. Once. */
    void (*on_ready)(void *owner);
    /* They cannot be started. Once, instead of on_ready. */
    void (*on_failed)(void *owner, const char *reason);
    /* workers_adopted() may have changed. */
    void (*on_adopted)(void *owner);
    /* A classic call waits in that worker for a LINK_STREAM. */
    void (*on_want_stream)(void *owner, struct workers_one *one);
    /* The last one has ended after workers_drain() or workers_kill(). */
    void (*on_gone)(void *owner);
    /* How workers_renew() ended: 0, or -ECHILD and all is as it was before. */
    void (*on_renewed)(void *owner, int result);
    /* The last one that was retired has ended. */
    void (*on_retired)(void *owner);
};

struct workers {
    struct loop *loop;
    struct folder *folder;
    const struct listeners *listeners;
    const struct workers_events *events;
    void *owner;
    struct list all;
    struct workers_post *posts;
    unsigned count;              /* of posts */
    struct workers_post *former; /* the posts before, while their successors start; else NULL */
    unsigned former_count;
    unsigned generations; /* so many were started */
    struct counts *gone;
    struct timer watchdog;
    struct ready look;   /* they are to look at the states */
    uint64_t generation; /* names this start's workers in the run folder */
    uint64_t epoch;
    uint64_t spawned;
    unsigned failures;
    uint32_t retire_ms; /* those of the former posts have that long */
    int table_fd;
    int states_fd;                /* not ours */
    int guests_fd;                /* not ours */
    struct guest_segment *guests; /* not ours */
    int access_fd;                /* not ours; -1: none */
    bool was_ready;
    bool is_stopping;
};

struct workers_settings {
    struct loop *loop;
    struct folder *folder;
    const struct listeners *listeners; /* as many sockets each as there are workers */
    unsigned count;
    int states_fd;
    int guests_fd;
    struct guest_segment *guests;
    int access_fd; /* -1: no access log */
    const struct workers_events *events;
    void *owner;
};

/* Nothing runs yet. */
void workers_init(struct workers *workers, const struct workers_settings *settings);

/* All must have ended. */
void workers_finish(struct workers *workers);

/* Starts a worker at every post; a table must have been sent. */
MUST_USE int workers_start(struct workers *workers, struct error *why);

/*
 * Starts another generation, of `count` workers, on the listeners as they are now. When all of it
 * accept, those before are retired: they accept no more and end what runs within `drain_ms`, and
 * what is idle may ask once more. on_renewed says how it ended; on failure, which may be at once,
 * all is as before.
 */
MUST_USE int workers_renew(struct workers *workers, unsigned count, uint32_t drain_ms,
                           struct error *why);

/* Everybody is to use that table from now on, those that start later too. `fd` becomes ours. */
void workers_send_table(struct workers *workers, uint64_t epoch, int fd);

/* States in the segment have changed for the worse: told once a turn. */
void workers_look(struct workers *workers);

/* Where access log lines go from now on; -1: nowhere. The caller keeps it open. */
void workers_send_access_log(struct workers *workers, int fd);

/* The newest epoch that every worker has adopted; UINT64_MAX where none runs. */
uint64_t workers_adopted(const struct workers *workers);

/* They accept no more, end what runs within that time, and exit. */
void workers_drain(struct workers *workers, uint32_t within_ms);

/* They end now. */
void workers_kill(struct workers *workers);
