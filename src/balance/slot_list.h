/*
 * The list of one slot of a slot_table: the cheapest members in order, as many as are known and
 * SLOT_KEPT at most. A change of one member runs through tens of thousands of lists, so there is
 * no branch here on what is compared, and all ranks of a list are compared and moved at once, in
 * vectors that every compiler makes of its machine's.
 *
 * Costs are kept as codes of 16 bits, whose order is that of the costs; where two codes are the
 * same, as in one of some hundred lists, the costs have to be worked out.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "balance/slot_cost.h"
#include "balance/slot_table.h"

#define SLOT_CODE_BITS 10 /* of a cost, behind its highest */
#define DOUBLE_BITS    52 /* behind the highest, IEEE 754 */
#define DOUBLE_ONE     1023
#define SLOT_CODE_ZERO 32768 /* codes are signed, since every machine compares these */
#define SLOT_CODE_NONE (((SLOT_COST_BITS + 1) << SLOT_CODE_BITS) - SLOT_CODE_ZERO) /* of nobody */

#define SLOT_CODE_ONE ((DOUBLE_ONE << SLOT_CODE_BITS) + SLOT_CODE_ZERO - (1 << SLOT_CODE_BITS))

typedef int16_t slot_lanes __attribute__((vector_size(2 * SLOT_KEPT)));

typedef uint64_t slot_words __attribute__((vector_size(2 * SLOT_KEPT)));

/*
 * A list taken out of its table, to be changed and put back. Lanes behind the last member have no
 * place, and the code from which on members may be missing: SLOT_CODE_NONE where none is. In a full
 * list they may be missing from the code of the last on. Nobody missing is cheaper than one in it.
 */
struct slot_list {
    slot_lanes places;
    slot_lanes codes;
};

/* Below SLOT_CODE_NONE; never falls as the cost rises. A double has all 48 bits of a cost, so its
 * exponent and first digits are exact, and there sooner than by counting zeros. */
static inline int16_t slot_list_code(uint64_t cost)
{
    double number = (double)(int64_t)(cost | 1);
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    return (int16_t)((int64_t)(bits >> (DOUBLE_BITS - SLOT_CODE_BITS)) - SLOT_CODE_ONE);
}

/* No cost of that code is below. */
static inline uint64_t slot_list_least(int16_t code)
{
    unsigned number = (unsigned)(code + SLOT_CODE_ZERO);
    unsigned bits = number & ((1 << SLOT_CODE_BITS) - 1);

    return (uint64_t)(bits | 1 << SLOT_CODE_BITS) << (number >> SLOT_CODE_BITS) >>
               (SLOT_CODE_BITS + 1) &
           ~UINT64_C(1);
}

/* No cost of that code is above. Of SLOT_CODE_NONE: every cost is below. */
static inline uint64_t slot_list_most(int16_t code)
{
    return slot_list_least((int16_t)(code + (code != SLOT_CODE_NONE))) + 1;
}

/* Of nobody, where nobody is missing. */
static inline struct slot_list slot_list_empty(void)
{
    return (struct slot_list){(slot_lanes){} + (int16_t)BALANCE_NONE,
                              (slot_lanes){} + SLOT_CODE_NONE};
}

/* One word of the first four places, the cheapest lowest. */
static inline uint64_t slot_list_ranks(const struct slot_table *table, uint32_t slot)
{
    uint64_t word;

    memcpy(&word, table->lists + (size_t)slot * SLOT_KEPT, sizeof(word));
    return le64toh(word);
}

static inline struct slot_list slot_list_load(const uint16_t *places, const int16_t *codes)
{
    struct slot_list list;

    memcpy(&list.places, places, sizeof(list.places));
    memcpy(&list.codes, codes, sizeof(list.codes));
    return list;
}

static inline void slot_list_store(struct slot_list list, uint16_t *places, int16_t *codes)
{
    memcpy(places, &list.places, sizeof(list.places));
    memcpy(codes, &list.codes, sizeof(list.codes));
}

static inline struct slot_list slot_list_take(const struct slot_table *table, uint32_t slot)
{
    return slot_list_load(table->lists + (size_t)slot * SLOT_KEPT,
                          table->codes + (size_t)slot * SLOT_KEPT);
}

static inline void slot_list_put(struct slot_table *table, uint32_t slot, struct slot_list list)
{
    slot_list_store(list, table->lists + (size_t)slot * SLOT_KEPT,
                    table->codes + (size_t)slot * SLOT_KEPT);
}

/* Whether any lane is set. */
static inline bool slot_list_any(slot_lanes lanes)
{
    slot_words words = (slot_words)lanes;

    return (words[0] | words[1]) != 0;
}

/* The lanes that hold the place. */
static inline slot_lanes slot_list_lanes(slot_lanes places, uint16_t place)
{
    return places == (slot_lanes){} + (int16_t)place;
}

static inline slot_lanes slot_list_select(slot_lanes mask, slot_lanes yes, slot_lanes no)
{
    return (yes & mask) | (no & ~mask);
}

/* All lanes one to the front; the last is zero. */
static inline slot_lanes slot_list_before(slot_lanes lanes)
{
    return __builtin_shufflevector(lanes, (slot_lanes){}, 1, 2, 3, 4, 5, 6, 7, 8);
}

/* All lanes one further; the first is zero. */
static inline slot_lanes slot_list_behind(slot_lanes lanes)
{
    return __builtin_shufflevector((slot_lanes){}, lanes, 0, 8, 9, 10, 11, 12, 13, 14);
}

/* The lanes and all behind them. */
static inline slot_lanes slot_list_all_behind(slot_lanes lanes)
{
    const slot_lanes zero = {};

    lanes |= slot_list_behind(lanes);
    lanes |= __builtin_shufflevector(zero, lanes, 0, 0, 8, 9, 10, 11, 12, 13);
    lanes |= __builtin_shufflevector(zero, lanes, 0, 0, 0, 0, 8, 9, 10, 11);
    return lanes;
}

/*
 * The list without `place`, or as it is where that is not in it. What a full list does not know
 * begins at its last, unless `is_whole`: nobody is missing in it.
 */
static inline struct slot_list slot_list_without(struct slot_list list, uint16_t place,
                                                 bool is_whole)
{
    const slot_lanes zero = {};
    const slot_lanes end = {0, 0, 0, 0, 0, 0, 0, -1};
    const slot_lanes nobody = zero + (int16_t)BALANCE_NONE;
    slot_lanes from = slot_list_lanes(list.places, place); /* and all lanes behind it */
    slot_lanes last = list.codes & end;

    if (is_whole)
        last = slot_list_select(list.places == nobody, last, (zero + SLOT_CODE_NONE) & end);
    from = slot_list_all_behind(from);
    return (struct slot_list){
        slot_list_select(from, slot_list_before(list.places) | (nobody & end), list.places),
        slot_list_select(from, slot_list_before(list.codes) | last, list.codes),
    };
}

/* Whether a lane has that code. */
static inline bool slot_list_ties(struct slot_list list, int16_t code)
{
    return slot_list_any(slot_list_lanes(list.codes, (uint16_t)code));
}

/* Whether a lane other than that of `place` has it. */
static inline bool slot_list_ties_other(struct slot_list list, uint16_t place, int16_t code)
{
    return slot_list_any(slot_list_lanes(list.codes, (uint16_t)code) &
                         ~slot_list_lanes(list.places, place));
}

/* The list with `place` in the first lane that does not stay, and who was there and in the lanes
 * that do not stay behind it one further. The last of them falls out. */
static inline struct slot_list slot_list_insert(struct slot_list list, slot_lanes stays,
                                                uint16_t place, int16_t code)
{
    slot_lanes moves = slot_list_behind(~stays) & ~stays;
    slot_lanes first = ~(stays | moves);

    return (struct slot_list){
        (list.places & stays) | (((slot_lanes){} + (int16_t)place) & first) |
            (slot_list_behind(list.places) & moves),
        (list.codes & stays) | (((slot_lanes){} + code) & first) |
            (slot_list_behind(list.codes) & moves),
    };
}

/* The same where no lane has that code. As it is where all are below. */
static inline struct slot_list slot_list_with(struct slot_list list, uint16_t place, int16_t code)
{
    return slot_list_insert(list, list.codes < (slot_lanes){} + code, place, code);
}

/* The list with `place`, which is in it or not, where its code says, which is not above the one it
 * had; nobody else has that code. */
static inline struct slot_list slot_list_raise(struct slot_list list, uint16_t place, int16_t code)
{
    slot_lanes own = slot_list_lanes(list.places, place);
    slot_lanes behind = slot_list_behind(slot_list_all_behind(own));

    return slot_list_insert(list, (list.codes < (slot_lanes){} + code) | behind, place, code);
}

/* Of two with one code: their costs decide, then their names' hashes. */
static inline bool slot_list_is_before(uint64_t slot_hash, const struct balance_entry *a,
                                       const struct balance_entry *b)
{
    uint64_t cost = slot_cost(slot_cost_pair(slot_hash, a->low, a->high), a->inverse);
    uint64_t other = slot_cost(slot_cost_pair(slot_hash, b->low, b->high), b->inverse);

    return cost < other || (cost == other && a->low < b->low);
}
