/*
 * The guest segment: what all workers together have counted of each client address, its connections
 * and the tokens it has left. A table of GUESTS_MAX places in sets of GUESTS_SET; an address is one
 * 64-bit key and has at most one place, in the set its key chooses. A place may be given to another
 * address when nobody pins it; of those that of whoever has most tokens goes first.
 *
 * **Writer**: every worker, and the keeper for those that died; changed by compare-exchange only.
 * Each field is one aligned atomic that is valid alone; nobody ever waits for anybody. How many
 * connections a worker has added to a place stands in its count segment too, so that they are given
 * back when it dies; a worker that died between two steps may leave a place pinned for good, or an
 * address with one connection more than it may have, never with one fewer. A worker that was taken
 * over can spoil these limits, and nothing else.
 *
 * **Owner**: the keeper, who creates the memory file; each process owns its mapping.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Addresses that are remembered at once. */
#define GUESTS_BITS 18
#define GUESTS_MAX  (1u << GUESTS_BITS)

/* Places of one set: the words of a line of the cache. */
#define GUESTS_SET 8

/* So often a place is tried to be had while others make room in the same set. */
#define GUESTS_TRIES_MAX 64

/* A worker's idea of now may be that old; one whose is older does not live (control/workers.h). */
#define GUESTS_STALE_NS UINT64_C(10000000000)

#define GUESTS_NONE UINT32_MAX

struct guest_segment {
    uint32_t version;
    uint64_t seed[2]; /* nobody outside can choose addresses that meet in one set */
    /* Whose place it is, and how many pin it: see guests.c. 0: nobody's. */
    _Alignas(64) _Atomic uint64_t words[GUESTS_MAX];
    /* When the tokens are as many as may be: later for each that is gone. Nanoseconds of the
     * monotonic clock. */
    _Alignas(64) _Atomic uint64_t full_at_ns[GUESTS_MAX];
    _Atomic uint32_t connections[GUESTS_MAX];
};

/* A new one, mapped, nobody in it; no memory until somebody is. *fd and the mapping are the
 * caller's. */
MUST_USE int guests_create(int *fd, struct guest_segment **guests, struct error *why);

/* A worker's mapping. -EBADMSG where it is none of this version. */
MUST_USE int guests_map(int fd, struct guest_segment **guests, struct error *why);

/* NULL is harmless. */
void guests_unmap(struct guest_segment *guests);

/* The place of an address, or GUESTS_NONE. Stays its own as long as anybody pins it. */
uint32_t guests_find(const struct guest_segment *guests, uint64_t key);

/*
 * The place of an address, pinned by the caller until guests_leave(). One that had none gets one,
 * with what the address before it had left of its tokens. GUESTS_NONE where all of its set are
 * pinned.
 */
uint32_t guests_enter(struct guest_segment *guests, uint64_t key);

void guests_leave(struct guest_segment *guests, uint32_t place);

/* One connection more, of at most `limit`; false, and not counted, where there are as many. The
 * caller pins the place. */
MUST_USE bool guests_connect(struct guest_segment *guests, uint32_t place, uint32_t limit);

/* One connection fewer. */
void guests_disconnect(struct guest_segment *guests, uint32_t place);

/*
 * Takes a token where there is one: one comes back each `token_ns`, `burst` are all (the generic
 * cell rate algorithm, ITU-T I.371). Over all callers never more than burst + t / token_ns in a
 * time t.
 */
MUST_USE bool guests_take_token(struct guest_segment *guests, uint32_t place, uint64_t now_ns,
                                uint64_t token_ns, uint64_t burst);

/* A worker has died: what it held of each of the GUESTS_MAX places is given back. */
void guests_give_back(struct guest_segment *guests, const _Atomic uint32_t *held);
