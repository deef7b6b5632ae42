#include "balance/slot_fill.h"

#include <stdlib.h>

#include "balance/slot_cost.h"
#include "balance/slot_list.h"
#include "base/memory.h"

#define MORE 6 /* than are kept: so many exact costs are worth a look */

/* One to choose from, with all that choosing looks at side by side. They are in the order of `low`,
 * so that their own numbers settle ties. */
struct slot_rival {
    uint64_t low;
    uint64_t high;
    uint64_t inverse;
    uint64_t limit; /* of the pair's hash, beyond which the cost is not likely enough */
    uint16_t place;
};

/*
 * A cost that enough members for a list are likely within. Costs are arrivals: after a time t a
 * member of weight w has come with a probability of 1 − exp(−w·t), which is a little more than
 * w·t / (1 + w·t).
 */
static uint64_t find_likely(const struct slot_table *table)
{
    uint64_t enough = (uint64_t)(table->kept + MORE) << 16;
    uint64_t likely;

    if (table->active <= table->kept + MORE)
        return SLOT_COST_NONE;
    likely = (enough >> 16 << SLOT_COST_POINT) / table->weights;
    while (likely < SLOT_COST_NONE) {
        uint64_t come = 0; /* in 2^-16 */

        for (uint32_t i = 0; i < table->places; i++) {
            uint64_t product = likely * table->members[i].weight >> 8;

            come += product / ((product + (UINT64_C(1) << (SLOT_COST_POINT - 8))) >> 16);
        }
        if (come >= enough)
            return likely;
        likely += likely / 4 + 1;
    }
    return SLOT_COST_NONE;
}

static int compare_rivals(const void *a, const void *b)
{
    uint64_t left = ((const struct slot_rival *)a)->low;
    uint64_t right = ((const struct slot_rival *)b)->low;

    return left < right ? -1 : left > right;
}

void slot_fill_prepare(struct slot_table *table)
{
    uint64_t bound;
    uint32_t count = 0;

    table->likely = find_likely(table);
    bound = slot_cost_bound(table->likely);
    for (uint32_t i = 0; i < table->places; i++) {
        const struct balance_entry *member = &table->members[i];

        if (member->weight)
            table->rivals[count++] = (struct slot_rival){member->low, member->high, member->inverse,
                                                         bound * member->weight, (uint16_t)i};
    }
    if (count)
        qsort(table->rivals, count, sizeof(*table->rivals), compare_rivals);
}

void slot_fill_reserve(struct slot_table *table, uint32_t places)
{
    table->rivals = memory_resize(table->rivals, places * sizeof(*table->rivals));
    table->sifted = memory_resize(table->sifted, places * sizeof(*table->sifted));
}

/* Sifts those whose cost is likely enough into table->sifted; returns how many. */
static unsigned sift(const struct slot_table *table, uint64_t slot_hash)
{
    const struct slot_rival *rivals = table->rivals;
    uint16_t *sifted = table->sifted;
    uint32_t active = table->active;
    unsigned count = 0;

    for (uint32_t i = 0; i < active; i++) {
        uint64_t h = slot_cost_pair(slot_hash, rivals[i].low, rivals[i].high);

        sifted[count] = (uint16_t)i;
        count += h >> SLOT_COST_BOUND_SHIFT <= rivals[i].limit;
    }
    return count;
}

/* One more to choose from, as one number: its cost, then its own, which settles a tie. No branch
 * depends on a cost. */
static inline void offer(const struct slot_table *table, uint64_t slot_hash, uint32_t number,
                         uint64_t *chosen, unsigned kept)
{
    const struct slot_rival *rival = &table->rivals[number];
    uint64_t h = slot_cost_pair(slot_hash, rival->low, rival->high);
    uint64_t next = slot_cost(h, rival->inverse) << 16 | number;

    for (unsigned k = 0; k < kept; k++) {
        uint64_t less = next < chosen[k] ? next : chosen[k];

        next = next < chosen[k] ? chosen[k] : next;
        chosen[k] = less;
    }
}

/* Makes those chosen the slot's list. */
static inline void put(struct slot_table *table, uint32_t slot, const uint64_t *chosen,
                       unsigned kept)
{
    uint16_t *places = table->lists + (size_t)slot * SLOT_KEPT;
    int32_t *codes = table->codes + (size_t)slot * SLOT_KEPT;
    unsigned count = table->active < kept ? table->active : kept;

    for (unsigned i = 0; i < SLOT_KEPT; i++)
        places[i] = i < count ? table->rivals[chosen[i] & 0xffff].place : BALANCE_NONE;
    if (kept < SLOT_KEPT)
        return;
    for (unsigned i = 0; i < SLOT_KEPT; i++)
        codes[i] = i < count ? slot_list_code(chosen[i] >> 16) : SLOT_CODE_NONE;
    table->reaches[slot] = table->active > kept ? chosen[kept - 1] >> 16 : SLOT_COST_NONE;
}

/* The `kept` cheapest, among those that are likely or, where these are too few, among all. */
static inline void fill(struct slot_table *table, uint32_t slot, unsigned kept)
{
    uint64_t hash = table->hashes[slot];
    uint64_t chosen[SLOT_KEPT];
    bool is_all = table->likely == SLOT_COST_NONE;
    unsigned count = is_all ? 0 : sift(table, hash);

    for (unsigned i = 0; i < kept; i++)
        chosen[i] = UINT64_MAX;
    for (unsigned i = 0; i < count; i++)
        offer(table, hash, table->sifted[i], chosen, kept);
    if (is_all || chosen[kept - 1] >> 16 > table->likely) {
        for (unsigned i = 0; i < kept; i++)
            chosen[i] = UINT64_MAX;
        for (uint32_t i = 0; i < table->active; i++)
            offer(table, hash, i, chosen, kept);
    }
    put(table, slot, chosen, kept);
}

void slot_fill(struct slot_table *table, uint32_t slot)
{
    if (table->kept == SLOT_KEPT)
        fill(table, slot, SLOT_KEPT);
    else
        fill(table, slot, BALANCE_RANKS);
}
