#include "balance/slot_rank.h"

#include "balance/slot_cost.h"
#include "balance/slot_fill.h"
#include "balance/slot_list.h"

#define CHUNK_SLOTS 1024 /* changed slots are gathered this many at a time */

void slot_rank_all(struct slot_table *table)
{
    for (uint32_t slot = 0; slot < table->slots; slot++)
        slot_fill(table, slot);
}

/* Slots from `start` on whose lists hold `place`. */
static unsigned gather_holders(const struct slot_table *table, uint32_t start, uint32_t size,
                               uint16_t place, uint32_t *slots)
{
    unsigned count = 0;

    for (uint32_t slot = start; slot < start + size; slot++) {
        slot_places places;

        memcpy(&places, table->lists + (size_t)slot * SLOT_KEPT, sizeof(places));
        slots[count] = slot;
        count += slot_list_any(slot_list_lanes(places, place));
    }
    return count;
}

/* Slots from `start` on where `member` may be within reach, and the pairs' hashes. */
static unsigned gather_candidates(const struct slot_table *table, uint32_t start, uint32_t size,
                                  const struct balance_entry *member, uint32_t *slots,
                                  uint64_t *pairs)
{
    unsigned count = 0;

    for (uint32_t slot = start; slot < start + size; slot++) {
        uint64_t h = slot_cost_pair(table->hashes[slot], member->low, member->high);

        slots[count] = slot;
        pairs[count] = h;
        count += slot_cost_may_beat(h, slot_cost_bound(table->reaches[slot]), member->weight);
    }
    return count;
}

/* Whether the four that are published are no longer all there. */
static inline bool is_short(const struct slot_table *table, uint32_t slot)
{
    return table->codes[(size_t)slot * SLOT_KEPT + BALANCE_RANKS - 1] == SLOT_CODE_NONE &&
           table->reaches[slot] != SLOT_COST_NONE;
}

static void remove_member(struct slot_table *table, const uint32_t *slots, unsigned count,
                          uint16_t place)
{
    for (unsigned i = 0; i < count; i++) {
        struct slot_list list = slot_list_take(table, slots[i]);

        slot_list_put(table, slots[i], slot_list_without(list, place));
        if (UNLIKELY(is_short(table, slots[i])))
            slot_fill(table, slots[i]);
    }
}

static void find_pairs(const struct slot_table *table, const uint32_t *slots, unsigned count,
                       const struct balance_entry *member, uint64_t *pairs)
{
    for (unsigned i = 0; i < count; i++)
        pairs[i] = slot_cost_pair(table->hashes[slots[i]], member->low, member->high);
}

/* Of pairs their costs: on their own, since a processor overlaps what is short. */
static void find_costs(const struct balance_entry *member, uint64_t *pairs, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pairs[i] = slot_cost(pairs[i], member->inverse);
}

/*
 * Takes the member out of the list, if it was in it, and puts it in where it belongs. Who is beyond
 * the reach is not cheaper than that, so a list need not know the others to stay right; but for a
 * tie, which is looked at from the beginning.
 */
static inline void set_in_slot(struct slot_table *table, uint32_t slot, uint16_t place,
                               uint64_t cost, bool was_there)
{
    struct slot_list list = slot_list_take(table, slot);
    uint64_t reach = table->reaches[slot];
    int32_t beyond = -(int32_t)(cost >= reach); /* all ones or none */
    int32_t code = slot_list_code(cost);
    bool has_tie;
    int32_t last;
    uint64_t least;

    if (was_there)
        list = slot_list_without(list, place);
    has_tie = slot_list_ties(list, code);
    code |= beyond & SLOT_CODE_NONE;
    last = list.high[SLOT_KEPT / 2 - 1];
    least = slot_list_least(last > code ? last : code); /* of the one that falls off the end */
    table->reaches[slot] = least < reach ? least : reach;
    slot_list_put(table, slot, slot_list_with(list, (uint16_t)(place | beyond), code));
    if (UNLIKELY(has_tie || (was_there && is_short(table, slot))))
        slot_fill(table, slot);
}

static void add_member(struct slot_table *table, const uint32_t *slots, unsigned count,
                       uint16_t place, const uint64_t *costs)
{
    for (unsigned i = 0; i < count; i++)
        set_in_slot(table, slots[i], place, costs[i], false);
}

static void set_member(struct slot_table *table, const uint32_t *slots, unsigned count,
                       uint16_t place, const uint64_t *costs)
{
    for (unsigned i = 0; i < count; i++)
        set_in_slot(table, slots[i], place, costs[i], true);
}

void slot_rank_change(struct slot_table *table, uint16_t place, uint32_t before)
{
    const struct balance_entry member = table->members[place];
    uint32_t slots[CHUNK_SLOTS];
    uint64_t costs[CHUNK_SLOTS];
    uint32_t size = table->slots < CHUNK_SLOTS ? table->slots : CHUNK_SLOTS;

    for (uint32_t start = 0; start < table->slots; start += size) {
        unsigned count;

        if (member.weight > before) { /* a candidate wherever it was held */
            count = gather_candidates(table, start, size, &member, slots, costs);
        } else {
            count = gather_holders(table, start, size, place, slots);
        }
        if (member.weight == 0) {
            remove_member(table, slots, count, place);
            continue;
        }
        if (member.weight < before)
            find_pairs(table, slots, count, &member, costs);
        find_costs(&member, costs, count);
        if (before == 0)
            add_member(table, slots, count, place, costs);
        else
            set_member(table, slots, count, place, costs);
    }
}
