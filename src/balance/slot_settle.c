#include "balance/slot_settle.h"

#include <stdlib.h>
#include <string.h>

#include "balance/slot_cost.h"
#include "balance/slot_list.h"
#include "base/memory.h"

#define RANKS BALANCE_RANKS

uint32_t slot_settle_cap(uint32_t slots, uint32_t cap, const struct balance_entry *entry,
                         uint64_t weights)
{
    const uint64_t whole = 10000;
    unsigned __int128 share = (unsigned __int128)slots * entry->weight;
    unsigned __int128 dither = (unsigned __int128)(entry->high >> 32) * weights * whole;
    unsigned __int128 divisor = (unsigned __int128)weights * whole << 32;
    uint64_t fair = (uint64_t)((share + weights - 1) / weights);
    uint64_t most = (uint64_t)(((share * (whole + cap) << 32) + dither) / divisor);

    return (uint32_t)(most > fair ? most : fair);
}

static inline uint64_t translate(const uint16_t *indexes, uint64_t word)
{
    return (uint64_t)indexes[word & 0xffff] | (uint64_t)indexes[word >> 16 & 0xffff] << 16 |
           (uint64_t)indexes[word >> 32 & 0xffff] << 32 | (uint64_t)indexes[word >> 48] << 48;
}

/* Whether all members are listed by their place, so that there is nothing to translate. */
static bool are_same(const struct slot_table *table)
{
    for (uint32_t i = 0; i < table->places; i++) {
        if (table->members[i].weight && table->indexes[i] != i)
            return false;
    }
    return true;
}

unsigned slot_settle_find(const struct slot_table *table, uint32_t slot, const uint32_t *room,
                          uint64_t *cost)
{
    uint64_t best_low = UINT64_MAX;
    unsigned best = BALANCE_NONE;

    *cost = SLOT_COST_NONE;
    for (uint32_t i = 0; i < table->places; i++) {
        const struct balance_entry *member = &table->members[i];
        uint64_t h = slot_cost_pair(table->hashes[slot], member->low, member->high);
        uint64_t own;

        if (room[i] == 0 || !slot_cost_may_beat(h, slot_cost_bound(*cost), member->weight))
            continue;
        own = slot_cost(h, member->inverse);
        if (own > *cost || (own == *cost && member->low >= best_low))
            continue;
        *cost = own;
        best_low = member->low;
        best = i;
    }
    return best;
}

/* The cheapest is full: the word with the first that is not in front. There is one: the caps sum
 * to the slots at least. */
static uint64_t settle_full(const struct slot_table *table, uint32_t slot, const uint32_t *room)
{
    const uint16_t *list = table->lists + (size_t)slot * SLOT_KEPT;
    uint64_t word = slot_list_ranks(table, slot);
    uint64_t cost;

    for (unsigned i = 1; i < RANKS; i++) {
        uint64_t place = word >> (16 * i) & 0xffff;
        uint64_t below = (UINT64_C(1) << (16 * i)) - 1; /* the lanes before it move up by one */
        uint64_t above = i == RANKS - 1 ? 0 : ~(below << 16 | 0xffff);

        if (place != BALANCE_NONE && room[place])
            return (word & above) | (word & below) << 16 | place;
    }
    for (unsigned i = RANKS; i < SLOT_KEPT && list[i] != BALANCE_NONE; i++) {
        if (room[list[i]])
            return word << 16 | list[i];
    }
    return word << 16 | slot_settle_find(table, slot, room, &cost);
}

/* All slots in order, each of `room` taking what it may. */
static void settle(const struct slot_table *table, uint32_t *room, uint64_t *words)
{
    const uint16_t *indexes = table->indexes;
    bool is_same = are_same(table);

    for (uint32_t slot = 0; slot < table->slots; slot++) {
        uint64_t word = slot_list_ranks(table, slot);

        if (UNLIKELY(room[word & 0xffff] == 0))
            word = settle_full(table, slot, room);
        room[word & 0xffff]--;
        words[slot] = is_same ? word : translate(indexes, word);
    }
}

void slot_settle(const struct slot_table *table, uint32_t cap, uint64_t *words)
{
    uint32_t *room;

    if (cap == BALANCE_CAP_OFF || table->active == 0) {
        for (uint32_t slot = 0; slot < table->slots; slot++)
            words[slot] = translate(table->indexes, slot_list_ranks(table, slot));
        return;
    }
    room = memory_allocate(table->places * sizeof(*room));
    for (uint32_t i = 0; i < table->places; i++) {
        if (table->members[i].weight)
            room[i] = slot_settle_cap(table->slots, cap, &table->members[i], table->weights);
    }
    settle(table, room, words);
    free(room);
}
