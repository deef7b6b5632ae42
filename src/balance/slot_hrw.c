/* The default scheme: a table of slots, each with its members ranked by weighted rendezvous
 * hashing, and a cap on what a member may own (see slot_table.h and slot_cost.h). */
#include "balance/slot_hrw.h"

#include <errno.h>

#include "balance/digest.h"
#include "balance/digest_key.h"
#include "balance/image.h"
#include "balance/slot_cost.h"
#include "balance/slot_settle.h"
#include "balance/slot_table.h"

static int slot_hrw_check(struct balance_options *options, struct error *why)
{
    uint32_t slots = options->slots ? options->slots : BALANCE_SLOTS_DEFAULT;

    if (slots < BALANCE_SLOTS_MIN || slots > BALANCE_SLOTS_MAX || (slots & (slots - 1)))
        return error_set(why, -EINVAL, "slots is %u: expected a power of two from %d to %d", slots,
                         BALANCE_SLOTS_MIN, BALANCE_SLOTS_MAX);
    options->slots = slots;
    options->virtual_servers = 0;
    options->request_hash = NULL;
    options->server_hash = NULL;
    return 0;
}

unsigned slot_hrw_bits(uint32_t slots)
{
    return (unsigned)__builtin_ctz(slots);
}

int slot_hrw_prepare(const struct scheme_input *input, struct balance_image **image,
                     struct error *why)
{
    int answer = image_create(input, input->options.slots * sizeof(uint64_t), image, why);

    if (answer == 0)
        (*image)->shift = 64 - slot_hrw_bits(input->options.slots);
    return answer;
}

int slot_hrw_write(const struct scheme_input *input, const struct slot_table *table,
                   struct balance_image **image, struct error *why)
{
    int answer = slot_hrw_prepare(input, image, why);

    if (answer < 0)
        return answer;
    slot_settle(table, input->options.cap, image_table(*image));
    return 0;
}

static int slot_hrw_build(const struct scheme_input *input, struct balance_image **image,
                          struct error *why)
{
    struct slot_table *table =
        slot_table_create(slot_hrw_bits(input->options.slots), BALANCE_RANKS, input->secret);
    int answer;

    slot_table_set(table, input->roster);
    answer = slot_hrw_write(input, table, image, why);
    slot_table_destroy(table);
    return answer;
}

static uint64_t slot_hrw_hash(const struct balance_image *image, struct view key,
                              struct balance_load *load)
{
    (void)load;
    return digest_key(image->secret, key);
}

static uint32_t slot_hrw_slot(const struct balance_image *image, uint64_t hash)
{
    return (uint32_t)(hash >> image->shift);
}

static unsigned slot_hrw_slot_owner(const struct balance_image *image, uint32_t slot)
{
    return (unsigned)(((const uint64_t *)image_table_of(image))[slot] & 0xffff);
}

/* A place in a slot's order: costs rise along it, the name's hash settles a tie. */
struct place {
    uint64_t cost;
    uint64_t low;
    unsigned member;
};

static bool is_before(const struct place *a, const struct place *b)
{
    return a->cost < b->cost || (a->cost == b->cost && a->low < b->low);
}

static struct place place_of(const struct balance_image *image, uint64_t slot_hash, unsigned member)
{
    const struct balance_entry *entry = &image_entries(image)[member];
    uint64_t h = slot_cost_pair(slot_hash, entry->low, entry->high);

    return (struct place){slot_cost(h, entry->inverse), entry->low, member};
}

/* The first behind `after`, the owner aside; BALANCE_NONE past the last. */
static struct place next_place(const struct balance_image *image, uint64_t slot_hash,
                               struct place after, unsigned owner)
{
    struct place next = {UINT64_MAX, UINT64_MAX, BALANCE_NONE};

    for (unsigned i = 0; i < image->count; i++) {
        struct place place;

        if (i == owner || image_entries(image)[i].weight == 0)
            continue;
        place = place_of(image, slot_hash, i);
        if (is_before(&after, &place) && is_before(&place, &next))
            next = place;
    }
    return next;
}

static unsigned slot_hrw_owner(const struct balance_image *image, uint64_t hash, unsigned rank,
                               const struct balance_load *load)
{
    uint32_t slot = slot_hrw_slot(image, hash);
    uint64_t word = ((const uint64_t *)image_table_of(image))[slot];
    uint64_t slot_hash = digest_slot(image->secret, slot);
    struct place place;

    (void)load;
    if (rank < BALANCE_RANKS)
        return (unsigned)(word >> (16 * rank)) & 0xffffu;
    place = place_of(image, slot_hash, (unsigned)(word >> 48));
    for (unsigned i = BALANCE_RANKS; i <= rank && place.member != BALANCE_NONE; i++)
        place = next_place(image, slot_hash, place, (unsigned)(word & 0xffff));
    return place.member;
}

/* How many of the order stand before `place`, the owner included. */
static unsigned count_before(const struct balance_image *image, uint64_t slot_hash,
                             const struct place *place, unsigned owner)
{
    unsigned count = 1;

    for (unsigned i = 0; i < image->count; i++) {
        struct place other;

        if (i == owner || image_entries(image)[i].weight == 0)
            continue;
        other = place_of(image, slot_hash, i);
        count += is_before(&other, place);
    }
    return count;
}

static unsigned slot_hrw_pick(const struct balance_image *image, uint64_t hash,
                              const struct balance_load *load, balance_may_use_fn may_use,
                              void *context, unsigned *rank)
{
    uint32_t slot = slot_hrw_slot(image, hash);
    uint64_t word = ((const uint64_t *)image_table_of(image))[slot];
    uint64_t slot_hash = digest_slot(image->secret, slot);
    struct place best = {UINT64_MAX, UINT64_MAX, BALANCE_NONE};

    (void)load;
    for (unsigned i = 0; i < BALANCE_RANKS; i++) {
        unsigned member = (unsigned)(word >> (16 * i)) & 0xffffu;

        if (member == BALANCE_NONE)
            return BALANCE_NONE;
        if (may_use(context, member)) {
            *rank = i;
            return member;
        }
    }
    for (unsigned i = 0; i < image->count; i++) {
        struct place place;
        uint64_t lanes = word ^ (UINT64_C(0x0001000100010001) * i);
        bool is_asked = ((lanes & 0xffff) == 0) | ((lanes >> 16 & 0xffff) == 0) |
                        ((lanes >> 32 & 0xffff) == 0) | (lanes >> 48 == 0);

        if (is_asked || image_entries(image)[i].weight == 0)
            continue;
        place = place_of(image, slot_hash, i);
        if (is_before(&place, &best) && may_use(context, i))
            best = place;
    }
    if (best.member != BALANCE_NONE)
        *rank = count_before(image, slot_hash, &best, (unsigned)(word & 0xffff));
    return best.member;
}

const struct scheme slot_hrw_scheme = {
    .name = "slot-hrw",
    .is_keyed = true,
    .check = slot_hrw_check,
    .build = slot_hrw_build,
    .hash = slot_hrw_hash,
    .owner = slot_hrw_owner,
    .pick = slot_hrw_pick,
    .slot = slot_hrw_slot,
    .slot_owner = slot_hrw_slot_owner,
};
