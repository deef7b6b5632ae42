#include "balance/slot_fill.h"

#include <stdlib.h>
#include <string.h>

#include "balance/slot_cost.h"
#include "balance/slot_list.h"
#include "base/memory.h"

#define ENOUGH 11 /* so many are likely to have the four that are published, and some to keep */
#define BATCH  (2 * SLOT_KEPT) /* so many are told apart by their codes at once */

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
 * Of a time `t`, in costs at weight 1: hashes of pairs that come within it are not above, in
 * 2^-SLOT_COST_POINT. Costs are arrivals: after t one has come with a probability of 1 − exp(−t),
 * which is a little less than t / (1 + t/2).
 */
static uint64_t come_within(uint64_t t)
{
    const uint64_t one = UINT64_C(1) << SLOT_COST_POINT;

    return t >= 2 * one ? one : (t << 20) / ((one + t / 2) >> (SLOT_COST_POINT - 20)) + 1;
}

/* A cost that enough members for a list are likely within. */
static uint64_t find_likely(const struct slot_table *table)
{
    uint64_t enough = (uint64_t)ENOUGH << SLOT_COST_POINT;
    uint64_t likely;

    if (table->active <= BATCH)
        return SLOT_COST_NONE;
    likely = enough / table->weights;
    while (likely < SLOT_COST_NONE) {
        uint64_t come = 0;

        for (uint32_t i = 0; i < table->places; i++)
            come += come_within(likely * table->members[i].weight);
        if (come >= enough)
            return likely;
        likely += likely / 16 + 1;
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
            table->rivals[count++] =
                (struct slot_rival){member->low, member->high, member->inverse,
                                    come_within(bound * member->weight), (uint16_t)i};
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

/* As if all were likely enough. */
static unsigned sift_none(const struct slot_table *table)
{
    for (uint32_t i = 0; i < table->active; i++)
        table->sifted[i] = (uint16_t)i;
    return table->active;
}

/* Costs of some of those sifted, from `start` on. */
static inline void find_costs(const struct slot_table *table, uint64_t slot_hash, unsigned start,
                              unsigned count, uint64_t *costs)
{
    for (unsigned i = 0; i < count; i++) {
        const struct slot_rival *rival = &table->rivals[table->sifted[start + i]];
        uint64_t h = slot_cost_pair(slot_hash, rival->low, rival->high);

        costs[i] = slot_cost(h, rival->inverse);
    }
}

/* The cheapest of BATCH sifted at most, by their codes: each stands where the number of those below
 * it says. Whether codes are enough to tell them apart: no rank is there twice. */
static bool choose(const struct slot_table *table, uint64_t slot_hash, unsigned count,
                   struct slot_list *chosen)
{
    int16_t codes[BATCH];
    uint16_t ranks[BATCH];
    uint64_t costs[BATCH];
    uint16_t places[BATCH];
    int16_t sorted[BATCH];
    slot_lanes low;
    slot_lanes high;
    slot_lanes low_ranks = {};
    slot_lanes high_ranks = {};
    unsigned sum = 0;

    for (unsigned i = 0; i < BATCH; i++) {
        places[i] = BALANCE_NONE;
        sorted[i] = SLOT_CODE_NONE;
        codes[i] = SLOT_CODE_NONE;
    }
    find_costs(table, slot_hash, 0, count, costs);
    for (unsigned i = 0; i < count; i++)
        codes[i] = slot_list_code(costs[i]);
    memcpy(&low, codes, sizeof(low));
    memcpy(&high, codes + SLOT_KEPT, sizeof(high));
    for (unsigned i = 0; i < count; i++) {
        slot_lanes code = (slot_lanes){} + codes[i];

        low_ranks -= code < low;
        high_ranks -= code < high;
    }
    memcpy(ranks, &low_ranks, sizeof(low));
    memcpy(ranks + SLOT_KEPT, &high_ranks, sizeof(high));
    for (unsigned i = 0; i < count; i++) {
        sum += ranks[i];
        places[ranks[i]] = table->rivals[table->sifted[i]].place;
        sorted[ranks[i]] = codes[i];
    }
    *chosen = slot_list_load(places, sorted);
    return sum == count * (count - 1) / 2;
}

/* The same by their costs, a tie by their own numbers. */
static void choose_exactly(const struct slot_table *table, uint64_t slot_hash, unsigned count,
                           struct slot_list *chosen)
{
    uint64_t best[SLOT_KEPT];

    memset(best, 0xff, sizeof(best));
    for (unsigned i = 0; i < count; i++) {
        uint64_t cost;
        uint64_t next;

        find_costs(table, slot_hash, i, 1, &cost);
        next = cost << 16 | table->sifted[i];
        for (unsigned k = 0; k < SLOT_KEPT; k++) {
            uint64_t less = next < best[k] ? next : best[k];

            next = next < best[k] ? best[k] : next;
            best[k] = less;
        }
    }
    *chosen = slot_list_empty();
    for (unsigned k = 0; k < SLOT_KEPT && k < count; k++) {
        chosen->places[k] = (int16_t)table->rivals[best[k] & 0xffff].place;
        chosen->codes[k] = slot_list_code(best[k] >> 16);
    }
}

/* The list of the cheapest of `count` sifted: those below `end` are right. */
static struct slot_list list_of(const struct slot_table *table, uint64_t slot_hash, unsigned count,
                                int16_t end)
{
    slot_lanes ends = (slot_lanes){} + end;
    struct slot_list list;
    slot_lanes is_right;

    if (count > BATCH || UNLIKELY(!choose(table, slot_hash, count, &list)))
        choose_exactly(table, slot_hash, count, &list);
    is_right = list.codes < ends;
    list.places = slot_list_select(is_right, list.places, (slot_lanes){} + (int16_t)BALANCE_NONE);
    list.codes = slot_list_select(is_right, list.codes, ends);
    return list;
}

void slot_fill(struct slot_table *table, uint32_t slot)
{
    uint64_t hash = table->hashes[slot];
    struct slot_list list;

    if (table->likely != SLOT_COST_NONE)
        list = list_of(table, hash, sift(table, hash), slot_list_code(table->likely));
    if (table->likely == SLOT_COST_NONE || (uint16_t)list.places[BALANCE_RANKS - 1] == BALANCE_NONE)
        list = list_of(table, hash, sift_none(table), SLOT_CODE_NONE);
    if (table->codes)
        slot_list_put(table, slot, list);
    else
        memcpy(table->lists + (size_t)slot * SLOT_KEPT, &list.places, sizeof(list.places));
}
