/*
 * What processes tell each other from moment to moment: shared memory with one writer per field.
 * Every field is one aligned atomic that is valid alone; there is no lock and no order between
 * fields. Index everywhere: the seat of a replica (proxy/table.h).
 *
 * State segment. **Writer**: the keeper. Read by all workers, who can map it read-only only.
 * Count segment, one a worker. **Writer**: that worker. Read by the keeper, who clamps what it
 * reads.
 * **Owner** of both: the keeper, who creates the memory file; each process owns its mapping.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "proxy/guests.h"
#include "proxy/table.h"

#define SEGMENTS_VERSION 2u

/* What a worker needs to know of a replica. */
enum seat_state {
    SEAT_EMPTY,
    SEAT_STARTING, /* never gets traffic */
    SEAT_UP,
    SEAT_WARMING,   /* gets a share of its own slots */
    SEAT_DOWN,      /* a probe's verdict: ignored in a panic */
    SEAT_DRAINING,  /* never gets new traffic */
    SEAT_DEAD,      /* gone, refused or parked: never gets traffic */
    SEAT_EJECTED,   /* its answers were bad: ignored in a panic, and where nobody else is left */
    SEAT_PROBATION, /* was ejected: each worker tries it with one request at a time */
};

/* Beside SEAT_STARTING and SEAT_DEAD: the replica of this seat is being healed and
 * expected back soon, whichever of its incarnations a table knows. */
#define SEAT_RETURNS 0x80u

struct state_seat {
    /* Incarnation × 256 + SEAT_RETURNS + enum seat_state: one word, so that a state is never read
     * with the wrong incarnation. */
    _Atomic uint32_t word;
    _Atomic uint32_t in_flight;       /* over all workers, as of the keeper's last tick */
    _Atomic uint32_t warming_percent; /* of its own slots that it gets while warming */
};

struct state_segment {
    uint32_t version;
    _Atomic uint32_t is_draining; /* the whole node: /healthcheck says 503 */
    _Atomic uint64_t
        changes; /* one more with each change of a word: workers look for replicas that went */
    _Atomic uint64_t in_flight; /* of all replicas together */
    _Atomic uint64_t ticks;     /* one more when the keeper has told anew what is in flight */
    struct state_seat seats[TABLE_REPLICAS_MAX];
};

/* Latency buckets: four to a power of two, from 64 µs on; the last takes the rest. */
#define COUNT_BUCKETS 80

struct count_seat {
    _Atomic uint64_t requests;  /* answered or failed */
    _Atomic uint64_t failures;  /* attempts that got no valid answer */
    _Atomic uint64_t not_found; /* answers 404, whatever the client was told */
    _Atomic uint32_t in_flight;
    _Atomic uint32_t latency[COUNT_BUCKETS];
    _Atomic uint64_t bad;     /* answers 500, 502, 503 and 504 of its own; counted at their heads */
    _Atomic uint64_t good;    /* any others */
    _Atomic uint64_t good_us; /* when the last of those came, monotonic */
    _Atomic uint32_t bad_run; /* bad ones since then */
    _Atomic uint32_t wait[COUNT_BUCKETS]; /* from a request's last byte to its answer's first */
};

struct count_segment {
    uint32_t version;
    _Atomic uint64_t turns; /* of the worker's loop: it lives */
    _Atomic uint64_t epoch; /* of the table it uses */
    _Atomic uint64_t requests;
    _Atomic uint64_t errors; /* requests answered by us with 5xx, or cut off */
    _Atomic uint64_t retries;
    _Atomic uint64_t log_dropped; /* lines of the access log */
    _Atomic uint32_t in_flight;
    _Atomic uint32_t connections;
    _Atomic uint64_t statuses[6]; /* by class: [2] = 2xx */
    _Atomic uint64_t sandbox_refusals;
    struct count_seat seats[TABLE_REPLICAS_MAX];
    _Atomic uint32_t guests[GUESTS_MAX]; /* its connections by place (proxy/guests.h) */
};

/* A memory file of that size, all zeroes, which nobody can make smaller or larger; or -errno. The
 * descriptor is the caller's. */
MUST_USE int segments_create_file(const char *name, size_t bytes, struct error *why);

/* Maps it; -EBADMSG where it is not of that size. */
MUST_USE int segments_map_file(int fd, size_t bytes, int protection, void **memory,
                               struct error *why);

/* A new memory file for one of them, mapped for the writer; readers may map it read-only only. *fd
 * is the caller's. */
MUST_USE int segments_create_state(int *fd, struct state_segment **segment, struct error *why);

/* The file the keeper gives to a worker: both may write at first; the keeper maps it read-only. */
MUST_USE int segments_create_counts(int *fd, const struct count_segment **segment,
                                    struct error *why);

/* The worker's side. -EBADMSG where it is none of this version. */
MUST_USE int segments_map_state(int fd, const struct state_segment **segment, struct error *why);
MUST_USE int segments_map_counts(int fd, struct count_segment **segment, struct error *why);

/* NULL is harmless. */
void segments_unmap_state(const struct state_segment *segment);
void segments_unmap_counts(const struct count_segment *segment);

/* The keeper says what a seat is now. */
void segments_set_state(struct state_segment *segment, uint32_t seat, uint32_t incarnation,
                        enum seat_state state);

/* The same of one that is being healed and back soon. */
void segments_set_returning(struct state_segment *segment, uint32_t seat, uint32_t incarnation,
                            enum seat_state state);

/* What the replica of that incarnation is; SEAT_DEAD where the seat has another one by now. */
static inline enum seat_state segments_state(const struct state_segment *segment, uint32_t seat,
                                             uint32_t incarnation)
{
    uint32_t word = atomic_load_explicit(&segment->seats[seat].word, memory_order_relaxed);

    if (word >> 8 != (incarnation & 0xffffff))
        return SEAT_DEAD;
    return (enum seat_state)(word & (0xff & ~SEAT_RETURNS));
}

/* Is the seat's replica being healed? A seat is another replica's only once no worker's table has
 * the one before. */
static inline bool segments_is_returning(const struct state_segment *segment, uint32_t seat)
{
    return atomic_load_explicit(&segment->seats[seat].word, memory_order_relaxed) & SEAT_RETURNS;
}

/* Runs and is not on its way out; whether it gets traffic is another question. */
static inline bool segments_is_running(enum seat_state state)
{
    return state == SEAT_UP || state == SEAT_WARMING || state == SEAT_EJECTED ||
           state == SEAT_PROBATION;
}

/* The writer's own counting: no other writer, so no locked instruction. */
#define SEGMENTS_ADD(field, amount)                                                                \
    atomic_store_explicit(&(field),                                                                \
                          atomic_load_explicit(&(field), memory_order_relaxed) + (amount),         \
                          memory_order_relaxed)
#define SEGMENTS_READ(field)       atomic_load_explicit(&(field), memory_order_relaxed)
#define SEGMENTS_SET(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

/* The bucket of a latency, and the latency a bucket begins at. */
unsigned segments_bucket(uint64_t latency_us);
uint64_t segments_bucket_us(unsigned bucket);

/* The latency that `permille` of those counted do not exceed (upper end of its bucket), 0 where
 * none was counted. */
uint64_t segments_quantile_us(const uint64_t counts[COUNT_BUCKETS], unsigned permille);
