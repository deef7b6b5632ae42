#include "balance/slot_rank.h"

#include "balance/slot_cost.h"
#include "balance/slot_fill.h"
#include "balance/slot_list.h"
#include "balance/slot_price.h"

#define FILL_SHARES 4 /* SLOT_KEPT - BALANCE_RANKS: so many steps until lists are short */

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
        slot_lanes places;

        memcpy(&places, table->lists + (size_t)slot * SLOT_KEPT, sizeof(places));
        slots[count] = slot;
        count += slot_list_any(slot_list_lanes(places, place));
    }
    return count;
}

/* Whether so heavy a member is in most lists: then it is cheaper not to ask where. */
static bool is_everywhere(const struct slot_table *table, uint32_t weight)
{
    return (uint64_t)weight * SLOT_KEPT >= table->weights;
}

/* Whether the four that are published are no longer all there. */
static inline bool is_short(const uint16_t *places, const int16_t *codes)
{
    return places[BALANCE_RANKS - 1] == BALANCE_NONE && codes[BALANCE_RANKS - 1] != SLOT_CODE_NONE;
}

/*
 * Whether to fill a list before it is short. With so few members that it can have them all, that is
 * done once: in the steps in which they go below SLOT_KEPT by a share of the slots each, so that no
 * single one of them pays for all.
 */
static inline bool is_due(const struct slot_table *table, uint32_t slot, const int16_t *codes)
{
    return (slot ^ table->active) % FILL_SHARES == 0 && codes[SLOT_KEPT - 1] != SLOT_CODE_NONE;
}

/* A list that is full is whole where there is nobody else. */
static void remove_member(struct slot_table *table, const uint32_t *slots, unsigned count,
                          uint16_t place)
{
    bool is_whole = table->active < SLOT_KEPT;
    uint16_t *all_places = table->lists;
    int16_t *all_codes = table->codes;

    for (unsigned i = 0; i < count; i++) {
        uint16_t *to = all_places + (size_t)slots[i] * SLOT_KEPT;
        int16_t *to_codes = all_codes + (size_t)slots[i] * SLOT_KEPT;
        struct slot_list list = slot_list_load(to, to_codes);

        slot_list_store(slot_list_without(list, place, is_whole), to, to_codes);
        if (UNLIKELY(is_short(to, to_codes)) || (is_whole && is_due(table, slots[i], to_codes)))
            slot_fill(table, slots[i]);
    }
}

/* Puts the member into a list where others have its code: those are before it whose costs say so.
 * What is missing from that code on is behind those in the list, and so is the member where none of
 * them is behind it. */
static void set_tied(struct slot_table *table, uint32_t slot, uint16_t place, int16_t code)
{
    struct slot_list list =
        slot_list_without(slot_list_take(table, slot), place, table->active <= SLOT_KEPT);
    slot_lanes stays = list.codes < (slot_lanes){} + code;

    for (unsigned i = 0; i < SLOT_KEPT; i++) {
        uint16_t other = (uint16_t)list.places[i];

        if (list.codes[i] == code &&
            (other == BALANCE_NONE ||
             slot_list_is_before(table->hashes[slot], &table->members[other],
                                 &table->members[place])))
            stays[i] = -1;
    }
    slot_list_put(table, slot, slot_list_insert(list, stays, place, code));
}

enum way { ADD, RAISE, LOWER };

/* The list with the member where its code says; one that comes is not in it. */
static inline struct slot_list moved(struct slot_list list, uint16_t place, int16_t code,
                                     enum way way, bool is_whole)
{
    if (way == RAISE)
        return slot_list_raise(list, place, code);
    if (way == LOWER)
        list = slot_list_without(list, place, is_whole);
    return slot_list_with(list, place, code);
}

/*
 * Puts the member into the lists, or takes it out where it no longer belongs. Who is beyond what a
 * list knows is not cheaper than those in it, so it need not know the others to stay right.
 */
static inline void set_member(struct slot_table *table, const uint32_t *slots, unsigned count,
                              uint16_t place, const int16_t *codes, enum way way)
{
    bool is_whole = table->active <= SLOT_KEPT;
    uint16_t *all_places = table->lists;
    int16_t *all_codes = table->codes;

    for (unsigned i = 0; i < count; i++) {
        uint16_t *to = all_places + (size_t)slots[i] * SLOT_KEPT;
        int16_t *to_codes = all_codes + (size_t)slots[i] * SLOT_KEPT;
        struct slot_list list = slot_list_load(to, to_codes);
        bool is_tied = way == ADD ? slot_list_ties(list, codes[i])
                                  : slot_list_ties_other(list, place, codes[i]);

        if (UNLIKELY(is_tied))
            set_tied(table, slots[i], place, codes[i]);
        else
            slot_list_store(moved(list, place, codes[i], way, is_whole), to, to_codes);
        if (way == LOWER && UNLIKELY(is_short(to, to_codes)))
            slot_fill(table, slots[i]);
    }
}

void slot_rank_change(struct slot_table *table, uint16_t place, uint32_t before)
{
    const struct balance_entry member = table->members[place];
    uint32_t slots[SLOT_PRICE_MAX];
    int16_t codes[SLOT_PRICE_MAX];
    uint32_t size = table->slots < SLOT_PRICE_MAX ? table->slots : SLOT_PRICE_MAX;
    bool is_dense =
        member.weight && is_everywhere(table, member.weight > before ? member.weight : before);

    for (uint32_t start = 0; start < table->slots; start += size) {
        unsigned count;

        if (is_dense)
            count = slot_price_all(start, size, slots);
        else if (member.weight > before) /* a candidate wherever it was held */
            count = slot_price_sift(table, start, size, &member,
                                    table->codes + (size_t)start * SLOT_KEPT + SLOT_KEPT - 1,
                                    SLOT_KEPT, slots);
        else
            count = gather_holders(table, start, size, place, slots);
        if (member.weight == 0) {
            remove_member(table, slots, count, place);
            continue;
        }
        slot_price_codes(table, slots, count, &member, codes);
        if (before == 0)
            set_member(table, slots, count, place, codes, ADD);
        else if (member.weight > before)
            set_member(table, slots, count, place, codes, RAISE);
        else
            set_member(table, slots, count, place, codes, LOWER);
    }
}
