/*
 * Maglev's table (Eisenbud and others, NSDI 2016): 65,537 slots which the members fill in turn,
 * each by a permutation of its own. Turns go by name, so the order of the list does not matter; a
 * member takes as many turns as its weight has it, relative to the heaviest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balance/clockwise.h"
#include "balance/digest_key.h"
#include "balance/image.h"
#include "base/memory.h"

#define SLOTS 65537u

/* Where a member is in its permutation, and how many turns' worth of weight it has used. */
struct turn {
    uint32_t offset;
    uint32_t skip;
    uint64_t used;
    uint32_t weight;
    uint16_t member;
};

static int maglev_check(struct balance_options *options, struct error *why)
{
    if (options->slots != 0 && options->slots != SLOTS)
        return error_set(why, -EINVAL, "slots is %u: maglev has %u", options->slots, SLOTS);
    options->slots = SLOTS;
    options->cap = 0;
    options->virtual_servers = 0;
    options->request_hash = NULL;
    options->server_hash = NULL;
    return 0;
}

static void take_slot(uint16_t *owners, struct turn *turn)
{
    while (owners[turn->offset] != BALANCE_NONE)
        turn->offset = (turn->offset + turn->skip) % SLOTS;
    owners[turn->offset] = turn->member;
}

static void fill(uint16_t *owners, struct turn *turns, uint32_t count, uint32_t heaviest)
{
    uint32_t filled = 0;

    for (uint64_t round = 1; filled < SLOTS; round++) {
        for (uint32_t i = 0; i < count && filled < SLOTS; i++) {
            if (round * turns[i].weight < turns[i].used)
                continue;
            turns[i].used += heaviest;
            take_slot(owners, &turns[i]);
            filled++;
        }
    }
}

static int maglev_build(const struct scheme_input *input, struct balance_image **image,
                        struct error *why)
{
    const struct roster *roster = input->roster;
    uint16_t *order;
    struct turn *turns;
    uint32_t heaviest = 0;
    int answer = image_create(input, SLOTS * sizeof(uint16_t), image, why);

    if (answer < 0)
        return answer;
    memset(image_table(*image), 0xff, SLOTS * sizeof(uint16_t));
    if (roster->active == 0)
        return 0;
    order = memory_allocate(roster->active * sizeof(*order));
    turns = memory_allocate(roster->active * sizeof(*turns));
    roster_sort(roster, input->members, order);
    for (uint32_t i = 0; i < roster->active; i++) {
        const struct balance_entry *entry = &roster->entries[order[i]];

        turns[i] = (struct turn){.offset = (uint32_t)(entry->low % SLOTS),
                                 .skip = (uint32_t)((entry->high >> 1) % (SLOTS - 1)) + 1,
                                 .weight = entry->weight,
                                 .member = order[i]};
        heaviest = entry->weight > heaviest ? entry->weight : heaviest;
    }
    for (uint32_t i = 0; i < roster->active; i++)
        turns[i].used = heaviest;
    fill(image_table(*image), turns, roster->active, heaviest);
    free(turns);
    free(order);
    return 0;
}

static uint64_t maglev_hash(const struct balance_image *image, struct view key,
                            struct balance_load *load)
{
    (void)load;
    return digest_key(image->secret, key);
}

static uint32_t maglev_slot(const struct balance_image *image, uint64_t hash)
{
    (void)image;
    return (uint32_t)((unsigned __int128)hash * SLOTS >> 64);
}

static unsigned maglev_slot_owner(const struct balance_image *image, uint32_t slot)
{
    return ((const uint16_t *)image_table_of(image))[slot];
}

static struct clockwise ring_of(const struct balance_image *image, uint64_t hash)
{
    return (struct clockwise){image_table_of(image), image->active ? SLOTS : 0,
                              maglev_slot(image, hash)};
}

static unsigned maglev_owner(const struct balance_image *image, uint64_t hash, unsigned rank,
                             const struct balance_load *load)
{
    struct clockwise ring = ring_of(image, hash);

    (void)load;
    return clockwise_owner(&ring, rank);
}

static unsigned maglev_pick(const struct balance_image *image, uint64_t hash,
                            const struct balance_load *load, balance_may_use_fn may_use,
                            void *context, unsigned *rank)
{
    struct clockwise ring = ring_of(image, hash);

    (void)load;
    return clockwise_pick(&ring, may_use, context, rank);
}

const struct scheme maglev_scheme = {
    .name = "maglev",
    .is_keyed = true,
    .check = maglev_check,
    .build = maglev_build,
    .hash = maglev_hash,
    .owner = maglev_owner,
    .pick = maglev_pick,
    .slot = maglev_slot,
    .slot_owner = maglev_slot_owner,
};
