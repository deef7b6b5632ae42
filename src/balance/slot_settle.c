#include "balance/slot_settle.h"

#include <stdlib.h>
#include <string.h>

#include "balance/slot_cost.h"
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

/* The cheapest member that has room. There is one: the caps sum to the slots at least. */
static uint16_t find_room(const struct slot_table *table, uint32_t slot, const uint32_t *room)
{
    uint64_t best_cost = SLOT_COST_NONE;
    uint64_t best_low = UINT64_MAX;
    uint16_t best = BALANCE_NONE;

    for (uint32_t i = 0; i < table->places; i++) {
        const struct balance_entry *member = &table->members[i];
        uint64_t h = slot_cost_pair(table->hashes[slot], member->low, member->high);
        uint64_t cost;

        if (room[i] == 0 || !slot_cost_may_beat(h, slot_cost_bound(best_cost), member->weight))
            continue;
        cost = slot_cost(h, member->inverse);
        if (cost > best_cost || (cost == best_cost && member->low >= best_low))
            continue;
        best_cost = cost;
        best_low = member->low;
        best = (uint16_t)i;
    }
    return best;
}

/* The cheapest is full: the word with the first that is not in front. */
static uint64_t settle_full(const struct slot_table *table, uint32_t slot, const uint32_t *room)
{
    uint64_t word = table->ranks[slot];

    for (unsigned i = 1; i < RANKS; i++) {
        uint64_t place = word >> (16 * i) & 0xffff;
        uint64_t below = (UINT64_C(1) << (16 * i)) - 1; /* the lanes before it move up by one */
        uint64_t above = i == RANKS - 1 ? 0 : ~(below << 16 | 0xffff);

        if (place != BALANCE_NONE && room[place])
            return (word & above) | (word & below) << 16 | place;
    }
    return word << 16 | find_room(table, slot, room);
}

/* All slots in order, each of `room` taking what it may. */
static void settle(const struct slot_table *table, uint32_t *room, const uint16_t *indexes,
                   uint64_t *words)
{
    for (uint32_t slot = 0; slot < table->slots; slot++) {
        uint64_t word = table->ranks[slot];

        if (UNLIKELY(room[word & 0xffff] == 0))
            word = settle_full(table, slot, room);
        room[word & 0xffff]--;
        words[slot] = translate(indexes, word);
    }
}

void slot_settle(const struct slot_table *table, uint32_t cap, uint64_t *words)
{
    uint32_t *room;

    if (cap == BALANCE_CAP_OFF || table->active == 0) {
        for (uint32_t slot = 0; slot < table->slots; slot++)
            words[slot] = translate(table->indexes, table->ranks[slot]);
        return;
    }
    room = memory_allocate(table->places * sizeof(*room));
    for (uint32_t i = 0; i < table->places; i++) {
        if (table->members[i].weight)
            room[i] = slot_settle_cap(table->slots, cap, &table->members[i], table->weights);
    }
    settle(table, room, table->indexes, words);
    free(room);
}

void slot_settle_without(const struct slot_table *table, const struct roster *roster, uint32_t cap,
                         uint64_t *words)
{
    uint32_t *room = memory_allocate((table->places + 1) * sizeof(*room));
    uint16_t *indexes = memory_allocate((BALANCE_NONE + 1) * sizeof(*indexes));

    memset(indexes, 0xff, (BALANCE_NONE + 1) * sizeof(*indexes));
    for (uint32_t i = 0; i < table->places; i++) {
        const struct balance_entry *member = &table->members[i];
        unsigned index = member->weight ? roster_find(roster, member->low) : BALANCE_NONE;

        if (index == BALANCE_NONE || roster->entries[index].weight == 0)
            continue;
        indexes[i] = (uint16_t)index;
        room[i] = cap == BALANCE_CAP_OFF
                      ? table->slots
                      : slot_settle_cap(table->slots, cap, member, roster->weights);
    }
    if (roster->active)
        settle(table, room, indexes, words);
    else
        memset(words, 0xff, table->slots * sizeof(*words));
    free(indexes);
    free(room);
}
