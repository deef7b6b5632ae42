/*
 * Key -> members in order of preference: the consistent-hashing library. Pure: no I/O, no clock, no
 * global state; the same input gives the same bytes on every machine.
 *
 *     struct balance_options options = BALANCE_OPTIONS;
 *     struct balance_member members[] = {{"web-1", 1, 1}, {"web-2", 2, 2}};
 *     struct balance_image *image;
 *
 *     if (balance_build(&options, members, 2, &image, &why) == 0)
 *         owner = balance_owner(image, balance_hash(image, VIEW("key"), NULL), 0, NULL);
 *
 * An image is everything a look-up needs in one position-independent read-only block: no pointer
 * inside, 64-byte aligned, `balance_image_bytes()` long. It may be copied anywhere that is aligned
 * so, shared memory included, and read there by any number of processes. A member is answered as
 * its index in the list the image was built from; where keys go depends on the *set* of members
 * only, never on that order or on any history.
 *
 * Owner: whoever called balance_build(); ends with balance_destroy().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attribute.h"
#include "base/error.h"
#include "base/view.h"

#define BALANCE_NONE           0xffffu /* no member */
#define BALANCE_MEMBERS_MAX    16384
#define BALANCE_WEIGHT_MAX     65535
#define BALANCE_NAME_BYTES_MAX 255
#define BALANCE_SLOTS_MIN      256
#define BALANCE_SLOTS_MAX      1048576
#define BALANCE_SLOTS_DEFAULT  65536
#define BALANCE_CAP_DEFAULT    500 /* 5 % */
#define BALANCE_CAP_MAX        1000000
#define BALANCE_CAP_OFF        UINT32_MAX
#define BALANCE_KEY_BYTES      16
#define BALANCE_HASH_VERSION   1
#define BALANCE_RANKS          4 /* ranks of a slot that one load answers */
#define BALANCE_ALIGNMENT      64

/* One of those to choose from. Names are unique; identity is the name (the id in `classic`). */
struct balance_member {
    const char *name;
    uint32_t weight; /* 0 … 65,535; 0 is listed but gets nothing. `classic` knows 0 and not 0 */
    uint32_t id;     /* `classic` only: unique, kept as long as the member lives */
};

struct balance_options {
    const char *scheme;             /* NULL: "slot-hrw" */
    uint32_t slots;                 /* 0: the scheme's default. slot-hrw: a power of two */
    uint32_t cap;                   /* slot-hrw: excess over the fair share, in 1/100 percent */
    uint8_t key[BALANCE_KEY_BYTES]; /* keys the hash of slot-hrw and maglev */
    uint32_t hash_version;          /* 0: the present one */
    uint32_t virtual_servers;       /* classic: 0: the logarithm of the slots */
    const char *request_hash;       /* classic: NULL: "quadratic" */
    const char *server_hash;        /* classic: NULL: "quadratic" */
};

/* Everything at its default. The default key is documented and the same for everybody, so that
 * two installations agree; one who fears chosen keys sets another. */
#define BALANCE_OPTIONS                                                                            \
    ((struct balance_options){.cap = BALANCE_CAP_DEFAULT, .key = {BALANCE_DEFAULT_KEY}})
#define BALANCE_DEFAULT_KEY                                                                        \
    'r', 'o', 'o', 's', 't', ' ', 's', 'l', 'o', 't', '-', 'h', 'r', 'w', ' ', '1'

/* What the moment says, for the schemes that ask. Owner: the caller, one per worker. */
struct balance_load {
    uint64_t turn;             /* counts the choices; balance_hash() advances it */
    uint64_t total;            /* requests in flight over all members */
    const uint32_t *in_flight; /* by member index; NULL counts as all zero */
};

/* Two images with one digest place every key on the member of the same name. */
struct balance_digest {
    uint64_t low;
    uint64_t high;
};

#define BALANCE_DIGEST_TEXT_BYTES 33

/* A member as an image keeps it. */
struct balance_entry {
    uint64_t low;     /* of the name's keyed hash; settles a tie */
    uint64_t high;    /* odd */
    uint64_t inverse; /* of the weight, 2^64/w */
    uint32_t weight;
    uint32_t id;
    uint32_t name; /* where it stands, zero-ended, from the image's start */
    uint32_t name_bytes;
};

#define BALANCE_SECRET_BYTES 192

/* The start of an image. Read by the functions below; nothing in it is for callers. */
struct balance_image {
    uint64_t magic;
    uint64_t bytes;
    uint32_t scheme;  /* its number in the table of schemes */
    uint32_t shift;   /* 64 − log2 slots where ranks are words by slot, else 0 */
    uint32_t count;   /* members listed */
    uint32_t active;  /* of them with a weight */
    uint32_t slots;   /* 0 where the scheme has none */
    uint32_t entries; /* offsets from the start: struct balance_entry[count] */
    uint32_t names;
    uint32_t table; /* the scheme's own, aligned; slot-hrw: uint64_t[slots] of four ids */
    uint32_t table_bytes;
    uint32_t hash_version;
    uint64_t weights; /* their sum */
    uint32_t virtual_servers;
    uint16_t request_hash; /* numbers of classic's functions */
    uint16_t server_hash;
    struct balance_digest digest;
    uint8_t secret[BALANCE_SECRET_BYTES] __attribute__((aligned(64)));
};

/* Fills in the defaults, so that `options` says what will be done. -EINVAL with one sentence in
 * `why` for what is none. */
MUST_USE int balance_check(struct balance_options *options, struct error *why);

/*
 * Builds an image. `members` may be empty, in any order, and stays the caller's. Fails with one
 * sentence in `why` (which may be NULL): -EINVAL for an option or member that is none, -EEXIST
 * for a name (or classic id) listed twice, -E2BIG past a limit, -ENOSPC for a full classic ring.
 */
MUST_USE int balance_build(const struct balance_options *options,
                           const struct balance_member *members, size_t count,
                           struct balance_image **image, struct error *why);

/* Frees an image that balance_build() made; NULL is harmless. */
void balance_destroy(struct balance_image *image);

/* How many bytes to copy. */
size_t balance_image_bytes(const struct balance_image *image);

/*
 * `bytes` as an image if it begins like one of this version, is aligned and whole; else NULL. The
 * content is trusted: it guards against the wrong block, not against a forged one.
 */
const struct balance_image *balance_image_at(const void *bytes, size_t size);

/* Which names, weights, scheme, slots, key, cap and hash version: see struct balance_digest. */
struct balance_digest balance_digest(const struct balance_image *image);
void balance_digest_text(struct balance_digest digest, char text[BALANCE_DIGEST_TEXT_BYTES]);
bool balance_digest_equals(struct balance_digest a, struct balance_digest b);

/* How many slots slot-hrw should have for so many members: enough for shares within the cap and few
 * keys moved. Advice only: the number is part of the placement and never follows the members. */
uint32_t balance_slots_advised(size_t count);

/* The names of the schemes, in order; NULL past the last. */
const char *balance_scheme_name(unsigned number);
const char *balance_scheme(const struct balance_image *image);

/* Whether the scheme places by key at all, so that the same key finds the same member. */
bool balance_is_keyed(const struct balance_image *image);

/* Members the image was built from; the name of one, valid as long as the image. */
unsigned balance_count(const struct balance_image *image);
const char *balance_name(const struct balance_image *image, unsigned member);
uint32_t balance_weight(const struct balance_image *image, unsigned member);

/*
 * The hash of a key, as the image's scheme hashes. Keep it as long as the request lives and ask
 * every later image for its ranks with it (of one service: same scheme and key). Schemes without
 * keys answer with their next turn, so that all ranks of one request belong together; they need
 * `load`, the others take NULL.
 */
uint64_t balance_hash(const struct balance_image *image, struct view key,
                      struct balance_load *load);

/* What balance_owner() does past the ranks one load answers. */
unsigned balance_owner_slow(const struct balance_image *image, uint64_t hash, unsigned rank,
                            const struct balance_load *load);

/*
 * The member on place `rank` of this hash's order, 0 = the owner, or BALANCE_NONE past the last.
 * Each member with a weight stands in the order exactly once. `load` is for round-robin,
 * least-conn and p2c; the others take NULL. Ranks 0 … 3 of slot-hrw are one load; further ones
 * cost a pass over the members each, so prefer balance_pick() where many may be skipped.
 */
static inline unsigned balance_owner(const struct balance_image *image, uint64_t hash,
                                     unsigned rank, const struct balance_load *load)
{
    if (LIKELY(image->shift != 0 && rank < BALANCE_RANKS)) {
        const uint64_t *words = (const uint64_t *)((const char *)image + image->table);

        return (unsigned)(words[hash >> image->shift] >> (16 * rank)) & 0xffffu;
    }
    return balance_owner_slow(image, hash, rank, load);
}

/* True where the request may go to `member`. */
typedef bool (*balance_may_use_fn)(void *context, unsigned member);

/*
 * The first member of the order that `may_use` accepts, or BALANCE_NONE where it accepts none.
 * Asks about each member at most once, in no promised order past rank 3. `rank` (may be NULL)
 * gets the place of the answer.
 */
unsigned balance_pick(const struct balance_image *image, uint64_t hash,
                      const struct balance_load *load, balance_may_use_fn may_use, void *context,
                      unsigned *rank);

/* The slot of a hash, for logs and explanations: 0 … slots−1, or 0 in a scheme without slots. */
uint32_t balance_slot(const struct balance_image *image, uint64_t hash);
uint32_t balance_slots(const struct balance_image *image);

/* The owner of a slot, or BALANCE_NONE: slots of one scheme are equally likely for a random key
 * (in `ketama` there are none). */
unsigned balance_slot_owner(const struct balance_image *image, uint32_t slot);

/* Which of its member's virtual servers the owner of a hash answers as (`classic`), or -ENOENT. */
int balance_virtual(const struct balance_image *image, uint64_t hash);

#define BALANCE_BOUND_OFF 0

/*
 * Bounded load (Mirrokni, Thorup, Zadimoghaddam 2016; design: no contended line): may `member` take
 * one more? True where its in-flight has reached max(floor, ceil(bound · (total + 1) · w / Σw));
 * `bound` in hundredths (125 = 1.25 × the fair share), BALANCE_BOUND_OFF never. Skip it then and
 * take the next rank, which is the same for every request of the slot.
 */
bool balance_is_over_bound(const struct balance_image *image, const struct balance_load *load,
                           unsigned member, uint32_t bound, uint32_t floor);
