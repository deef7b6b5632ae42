/*
 * Probes: is a replica ready, is it still alive? Each is one GET of the health path over a
 * connection of its own; a status of 200 to 399 is a success.
 *
 * Readiness: every 10 ms for a second, then slower; one success is enough. Liveness: every
 * `interval`, jittered; `fall` misses one after the other make the verdict down, `rise` successes
 * make it up again; the probe after the first miss and after the first success comes early.
 *
 * A probe that timed out because this process did not run (stopped, starved) says nothing about
 * the replica and does not count. Nor does one, up to HEALTH_EXCUSED_MAX of them until the next
 * success, at whose time-out the replica had just answered a request of others: it is slow, which
 * all on a busy machine are, and to send its share to the next one would make that slower yet.
 */
#pragma once

#include "base/random.h"
#include "conn/outbound.h"
#include "net/loop.h"

#define HEALTH_PATH_BYTES       256
#define HEALTH_READY_US         UINT64_C(10000)   /* between readiness probes at first */
#define HEALTH_READY_FAST_US    UINT64_C(1000000) /* for that long */
#define HEALTH_READY_SLOW_US    UINT64_C(250000)  /* at most, later */
#define HEALTH_SOON_US          UINT64_C(100000)  /* after a first miss or a first success */
#define HEALTH_READY_TIMEOUT_US UINT64_C(1000000) /* of a readiness probe, at least */
#define HEALTH_LATE_US          UINT64_C(50000)   /* a time-out told later than that: we slept */
#define HEALTH_EXCUSED_MAX      3
#define HEALTH_JUST_PARTS       4 /* "just": in the last of so many parts of the probe's time */
#define HEALTH_JITTER_PERCENT   10
#define HEALTH_WHY_BYTES        160
#define HEALTH_HEAD_BYTES       (HEALTH_PATH_BYTES + ADDRESS_TEXT_BYTES + 128)

struct health_settings {
    char path[HEALTH_PATH_BYTES];
    uint32_t interval_ms;
    uint32_t timeout_ms; /* of one probe, connecting included */
    uint32_t fall;
    uint32_t rise;
    uint32_t start_ms; /* a start that is not ready by then has failed */
};

/* When the replica at that place last answered a request well, monotonic; 0: not yet. */
typedef uint64_t (*health_answered_fn)(void *owner, uint32_t place);

/* What all probes of a process share. Owner: the supervisor. */
struct health_group {
    struct loop *loop;
    health_answered_fn answered_us; /* NULL: nobody knows */
    void *answered_owner;
    struct outbound_pool pool;
    uint64_t probes; /* sent since the start */
};

enum health_verdict { HEALTH_UNKNOWN, HEALTH_READY, HEALTH_NOT_READY, HEALTH_UP, HEALTH_DOWN };

struct health;

/* The verdict changed; health->why says why. HEALTH_READY and HEALTH_NOT_READY end the watch. */
typedef void (*health_fn)(struct health *health, enum health_verdict verdict);

/* The watch on one replica. Owner: the replica; health_stop() before its memory goes. */
struct health {
    struct health_group *group;
    const struct health_settings *settings;
    health_fn on_verdict;
    struct stream *stream; /* of the probe that is out, or NULL */
    struct timer timer;    /* to the next probe, or of the one that is out */
    struct outbound_place where;
    uint64_t due_us;     /* when the timer should fire */
    uint64_t started_us; /* of the watch */
    uint32_t misses;     /* one after the other */
    uint32_t successes;
    uint32_t excused; /* since the last success */
    enum health_verdict verdict;
    uint16_t status; /* of the answer that is coming in, 0: none yet */
    bool awaits_ready;
    uint16_t head_bytes;
    char head[HEALTH_HEAD_BYTES]; /* what is sent */
    char why[HEALTH_WHY_BYTES];   /* of the last miss */
};

void health_group_init(struct health_group *group, struct sock_group *socks);

/* Who knows what replicas answer to others. */
void health_group_observe(struct health_group *group, health_answered_fn answered_us, void *owner);

/* All watches are stopped. */
void health_group_finish(struct health_group *group);

/* `settings` stay the caller's and valid. */
void health_init(struct health *health, struct health_group *group,
                 const struct health_settings *settings, health_fn on_verdict);

/* Begins to ask whether it is ready: HEALTH_READY, or HEALTH_NOT_READY after start_ms. */
void health_await_ready(struct health *health, const struct outbound_place *where);

/* Begins to ask whether it lives, with the verdict up. */
void health_watch(struct health *health, const struct outbound_place *where);

/* Harmless where it does not run. */
void health_stop(struct health *health);
