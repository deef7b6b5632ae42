#include "proxy/guests.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/random.h"
#include "proxy/segments.h"

#define SET_BITS  3
#define HASH_BITS (GUESTS_BITS - SET_BITS) /* of a hash, that choose the set */

/*
 * A word: the rest of the hash, which with its set is the whole key (scramble() maps no two keys
 * alike); whether its place is still being taken; how many pin it.
 */
#define PIN_BITS      (HASH_BITS - 1)
#define PINS          ((UINT64_C(1) << PIN_BITS) - 1)
#define FRESH         (UINT64_C(1) << PIN_BITS)
#define TAG_SHIFT     (PIN_BITS + 1)
#define TAG_OF(w)     ((w) >> TAG_SHIFT)
#define NEW_WORD(tag) ((tag) << TAG_SHIFT | FRESH | 1)

_Static_assert(GUESTS_SET == 1 << SET_BITS, "a set is chosen by the bits of a hash");

/* ---- the memory ---- */

int guests_create(int *fd, struct guest_segment **guests, struct error *why)
{
    void *memory;
    int file = segments_create_file("roost-guests", sizeof(struct guest_segment), why);
    int result;

    if (file < 0)
        return file;
    result =
        segments_map_file(file, sizeof(struct guest_segment), PROT_READ | PROT_WRITE, &memory, why);
    if (result < 0) {
        close(file);
        return result;
    }
    *guests = memory;
    (*guests)->version = SEGMENTS_VERSION;
    (*guests)->seed[0] = random_next();
    (*guests)->seed[1] = random_next();
    *fd = file;
    return 0;
}

int guests_map(int fd, struct guest_segment **guests, struct error *why)
{
    void *memory;
    int result =
        segments_map_file(fd, sizeof(struct guest_segment), PROT_READ | PROT_WRITE, &memory, why);

    if (result < 0)
        return result;
    *guests = memory;
    if ((*guests)->version == SEGMENTS_VERSION)
        return 0;
    guests_unmap(*guests);
    return error_set(why, -EBADMSG, "not a guest segment of this version");
}

void guests_unmap(struct guest_segment *guests)
{
    if (guests)
        munmap(guests, sizeof(*guests));
}

/* ---- places ---- */

/* One to one, and nobody who does not know the seeds can say where it leads. */
static uint64_t scramble(const struct guest_segment *guests, uint64_t key)
{
    const uint64_t odd = UINT64_C(0xd6e8feb86659fd93);

    key = (key ^ guests->seed[0]) * odd;
    key = (key ^ key >> 32) * odd;
    key = (key ^ key >> 32 ^ guests->seed[1]) * odd;
    key = (key ^ key >> 32) * odd;
    return key ^ key >> 32;
}

/* Where an address may have its place, and what says that it is its own. */
struct spot {
    uint32_t first;
    uint64_t tag; /* never 0, which is what a free word says */
};

static struct spot spot_of(const struct guest_segment *guests, uint64_t key)
{
    uint64_t hash = scramble(guests, key);
    uint64_t tag = hash & ((UINT64_C(1) << (64 - HASH_BITS)) - 1);

    return (struct spot){(uint32_t)(hash >> (64 - HASH_BITS)) * GUESTS_SET, tag ? tag : 1};
}

/* A place with that tag, but for `except`; also one that is still being taken. */
static uint32_t look(const struct guest_segment *guests, struct spot spot, uint32_t except)
{
    for (uint32_t place = spot.first; place < spot.first + GUESTS_SET; place++) {
        if (TAG_OF(atomic_load(&guests->words[place])) == spot.tag && place != except)
            return place;
    }
    return GUESTS_NONE;
}

uint32_t guests_find(const struct guest_segment *guests, uint64_t key)
{
    uint32_t place = look(guests, spot_of(guests, key), GUESTS_NONE);

    if (place != GUESTS_NONE && atomic_load(&guests->words[place]) & FRESH)
        return GUESTS_NONE;
    return place;
}

/* False where the place is not, or no longer, that address's. */
static bool pin(struct guest_segment *guests, uint32_t place, uint64_t tag)
{
    uint64_t word = atomic_load(&guests->words[place]);

    while (TAG_OF(word) == tag && !(word & FRESH) && (word & PINS) != PINS) {
        if (atomic_compare_exchange_weak(&guests->words[place], &word, word + 1))
            return true;
    }
    return false;
}

/* Of those nobody pins the one whose tokens are first as many as may be. */
static uint32_t least_missed(const struct guest_segment *guests, struct spot spot, uint64_t *word)
{
    uint64_t earliest_ns = UINT64_MAX;
    uint32_t best = GUESTS_NONE;

    for (uint32_t place = spot.first; place < spot.first + GUESTS_SET; place++) {
        uint64_t present = atomic_load(&guests->words[place]);
        uint64_t full_at_ns = atomic_load(&guests->full_at_ns[place]);

        if (present & (PINS | FRESH) || (best != GUESTS_NONE && full_at_ns >= earliest_ns))
            continue;
        best = place;
        earliest_ns = full_at_ns;
        *word = present;
    }
    return best;
}

/*
 * Gives a place to an address that has none. Two workers may do so at once: each first says what it
 * means to take, and takes it only if nobody else has said so. Of any two the one that said it last
 * sees the other; both may, then both try again.
 */
static uint32_t take_place(struct guest_segment *guests, struct spot spot, bool *is_hopeless)
{
    uint64_t before = 0;
    uint64_t fresh = NEW_WORD(spot.tag);
    uint32_t place = least_missed(guests, spot, &before);

    *is_hopeless = place == GUESTS_NONE;
    if (*is_hopeless || !atomic_compare_exchange_strong(&guests->words[place], &before, fresh))
        return GUESTS_NONE;
    if (look(guests, spot, place) == GUESTS_NONE) {
        /* Where that fails somebody lost patience and has done it for us. */
        atomic_compare_exchange_strong(&guests->words[place], &fresh, fresh & ~FRESH);
        return place;
    }
    if (atomic_compare_exchange_strong(&guests->words[place], &fresh, 0))
        return GUESTS_NONE;
    return place;
}

/* Whoever was taking that place may be dead: it is the address's own now. */
static void settle(struct guest_segment *guests, struct spot spot, uint32_t place)
{
    uint64_t word = atomic_load(&guests->words[place]);

    if (TAG_OF(word) == spot.tag && word & FRESH && look(guests, spot, place) == GUESTS_NONE)
        atomic_compare_exchange_strong(&guests->words[place], &word, word & ~FRESH);
}

uint32_t guests_enter(struct guest_segment *guests, uint64_t key)
{
    struct spot spot = spot_of(guests, key);
    bool is_hopeless = false;

    for (unsigned tries = 0; tries < GUESTS_TRIES_MAX && !is_hopeless; tries++) {
        uint32_t place = look(guests, spot, GUESTS_NONE);

        if (place == GUESTS_NONE) {
            place = take_place(guests, spot, &is_hopeless);
            if (place != GUESTS_NONE)
                return place;
            continue;
        }
        if (tries > GUESTS_TRIES_MAX / 2)
            settle(guests, spot, place);
        if (pin(guests, place, spot.tag))
            return place;
    }
    return GUESTS_NONE;
}

void guests_leave(struct guest_segment *guests, uint32_t place)
{
    uint64_t word = atomic_load(&guests->words[place]);

    while (word & PINS && !atomic_compare_exchange_weak(&guests->words[place], &word, word - 1))
        ;
}

/* ---- what is counted ---- */

bool guests_connect(struct guest_segment *guests, uint32_t place, uint32_t limit)
{
    uint32_t count = atomic_load(&guests->connections[place]);

    do {
        if (count >= limit)
            return false;
    } while (!atomic_compare_exchange_weak(&guests->connections[place], &count, count + 1));
    return true;
}

static void disconnect(struct guest_segment *guests, uint32_t place, uint32_t held)
{
    uint32_t count = atomic_load(&guests->connections[place]);

    while (!atomic_compare_exchange_weak(&guests->connections[place], &count,
                                         count > held ? count - held : 0))
        ;
}

void guests_disconnect(struct guest_segment *guests, uint32_t place)
{
    disconnect(guests, place, 1);
}

bool guests_take_token(struct guest_segment *guests, uint32_t place, uint64_t now_ns,
                       uint64_t token_ns, uint64_t burst)
{
    _Atomic uint64_t *full_at_ns = &guests->full_at_ns[place];
    uint64_t most_ns = now_ns + token_ns * burst;
    uint64_t before = atomic_load(full_at_ns);
    uint64_t after;

    do {
        after = (before > now_ns ? before : now_ns) + token_ns;
        /* Later than these rules can make it: those before gave more, or gave it back more slowly.
         */
        if (before > most_ns + GUESTS_STALE_NS)
            after = most_ns;
        else if (after > most_ns)
            return false;
    } while (!atomic_compare_exchange_weak(full_at_ns, &before, after));
    return before <= most_ns;
}

void guests_give_back(struct guest_segment *guests, const _Atomic uint32_t *held)
{
    for (uint32_t place = 0; place < GUESTS_MAX; place++) {
        uint32_t count = atomic_load_explicit(&held[place], memory_order_relaxed);

        if (!count)
            continue;
        disconnect(guests, place, count);
        guests_leave(guests, place);
    }
}
