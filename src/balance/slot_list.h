/*
 * The list of one slot of a slot_table: the cheapest members in order, as many as are known and
 * SLOT_KEPT at most. A change of one member runs through tens of thousands of lists, so there is
 * no branch here on what is compared, and all ranks of a list are compared and moved at once, in
 * vectors that every compiler makes of its machine's.
 *
 * Costs are kept as codes of 31 bits, whose order is that of the costs; where two codes are the
 * same the costs have to be worked out.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "balance/slot_cost.h"
#include "balance/slot_table.h"

#define SLOT_CODE_BITS 25        /* of a cost, behind its highest */
#define SLOT_CODE_NONE INT32_MAX /* of no member */

typedef int16_t slot_places __attribute__((vector_size(16)));
typedef int32_t slot_codes __attribute__((vector_size(16)));

/* A list taken out of its table, to be changed and put back. */
struct slot_list {
    slot_places places;
    slot_codes low;  /* of the first four */
    slot_codes high; /* of the next */
};

/* 1 … SLOT_CODE_NONE − 1; never falls as the cost rises. */
static inline int32_t slot_list_code(uint64_t cost)
{
    unsigned zeros = (unsigned)__builtin_clzll(cost | 1);
    uint64_t bits = (cost | 1) << zeros << 1 >> (64 - SLOT_CODE_BITS);

    return (int32_t)((uint64_t)(64 - zeros) << SLOT_CODE_BITS | bits);
}

/* No cost of that code is below. */
static inline uint64_t slot_list_least(int32_t code)
{
    unsigned length = (unsigned)code >> SLOT_CODE_BITS;
    uint64_t bits = (uint64_t)(uint32_t)code << (64 - SLOT_CODE_BITS) >> 1 | UINT64_C(1) << 63;

    return bits >> (64 - length) & ~UINT64_C(1);
}

/* No cost of that code is above. */
static inline uint64_t slot_list_most(int32_t code)
{
    return code == SLOT_CODE_NONE ? SLOT_COST_NONE : slot_list_least(code + 1) + 1;
}

/* One word of the first four places, the cheapest lowest. */
static inline uint64_t slot_list_ranks(const struct slot_table *table, uint32_t slot)
{
    uint64_t word;

    memcpy(&word, table->lists + (size_t)slot * SLOT_KEPT, sizeof(word));
    return le64toh(word);
}

static inline struct slot_list slot_list_take(const struct slot_table *table, uint32_t slot)
{
    const int32_t *codes = table->codes + (size_t)slot * SLOT_KEPT;
    struct slot_list list;

    memcpy(&list.places, table->lists + (size_t)slot * SLOT_KEPT, sizeof(list.places));
    memcpy(&list.low, codes, sizeof(list.low));
    memcpy(&list.high, codes + SLOT_KEPT / 2, sizeof(list.high));
    return list;
}

static inline void slot_list_put(struct slot_table *table, uint32_t slot, struct slot_list list)
{
    int32_t *codes = table->codes + (size_t)slot * SLOT_KEPT;

    memcpy(table->lists + (size_t)slot * SLOT_KEPT, &list.places, sizeof(list.places));
    memcpy(codes, &list.low, sizeof(list.low));
    memcpy(codes + SLOT_KEPT / 2, &list.high, sizeof(list.high));
}

/* Whether any lane is set. */
static inline bool slot_list_any(slot_places lanes)
{
    uint64_t words[2];

    memcpy(words, &lanes, sizeof(words));
    return (words[0] | words[1]) != 0;
}

/* The lanes that hold the place. */
static inline slot_places slot_list_lanes(slot_places places, uint16_t place)
{
    return places == (slot_places){} + (int16_t)place;
}

static inline slot_codes slot_list_select(slot_codes mask, slot_codes yes, slot_codes no)
{
    return (yes & mask) | (no & ~mask);
}

/* All lanes one further; the first is zero. */
static inline slot_places slot_list_behind(slot_places lanes)
{
    return __builtin_shufflevector((slot_places){}, lanes, 0, 8, 9, 10, 11, 12, 13, 14);
}

/* The list without `place`, or as it is where that is not in it. */
static inline struct slot_list slot_list_without(struct slot_list list, uint16_t place)
{
    const slot_places zero = {};
    const slot_codes zeros = {};
    const slot_places end = {0, 0, 0, 0, 0, 0, 0, (int16_t)BALANCE_NONE};
    const slot_codes end_code = {0, 0, 0, SLOT_CODE_NONE};
    slot_places from = slot_list_lanes(list.places, place); /* and all lanes behind it */
    slot_places next = __builtin_shufflevector(list.places, zero, 1, 2, 3, 4, 5, 6, 7, 8) | end;
    slot_codes low_next = __builtin_shufflevector(list.low, zeros, 1, 2, 3, 4) |
                          __builtin_shufflevector(zeros, list.high, 0, 0, 0, 4);
    slot_codes high_next = __builtin_shufflevector(list.high, zeros, 1, 2, 3, 4) | end_code;
    slot_codes low_from, high_from;

    from |= slot_list_behind(from);
    from |= __builtin_shufflevector(zero, from, 0, 0, 8, 9, 10, 11, 12, 13);
    from |= __builtin_shufflevector(zero, from, 0, 0, 0, 0, 8, 9, 10, 11);
    low_from = (slot_codes)__builtin_shufflevector(from, from, 0, 0, 1, 1, 2, 2, 3, 3);
    high_from = (slot_codes)__builtin_shufflevector(from, from, 4, 4, 5, 5, 6, 6, 7, 7);
    return (struct slot_list){
        (list.places & ~from) | (next & from),
        slot_list_select(low_from, low_next, list.low),
        slot_list_select(high_from, high_next, list.high),
    };
}

/* Whether one in the list has that code. */
static inline bool slot_list_ties(struct slot_list list, int32_t code)
{
    slot_codes codes = (slot_codes){} + code;

    return slot_list_any((slot_places)((list.low == codes) | (list.high == codes)));
}

/* The list with `place`, which is not in it and whose code nobody in it has. The last falls off
 * the end. Both BALANCE_NONE and SLOT_CODE_NONE: as it is. */
static inline struct slot_list slot_list_with(struct slot_list list, uint16_t place, int32_t code)
{
    const slot_codes zeros = {};
    slot_codes codes = zeros + code;
    slot_codes low_behind = __builtin_shufflevector(zeros, list.low, 0, 4, 5, 6);
    slot_codes high_behind = __builtin_shufflevector(zeros, list.high, 0, 4, 5, 6) |
                             __builtin_shufflevector(list.low, zeros, 3, 4, 4, 4);
    slot_codes low_stays = list.low < codes;
    slot_codes high_stays = list.high < codes;
    slot_places stays = __builtin_shufflevector((slot_places)low_stays, (slot_places)high_stays, 0,
                                                2, 4, 6, 8, 10, 12, 14);
    slot_places moves = slot_list_behind(~stays);
    slot_places first = ~stays & ~moves;

    return (struct slot_list){
        (list.places & stays) | (((slot_places){} + (int16_t)place) & first) |
            (slot_list_behind(list.places) & moves),
        slot_list_select(low_stays, list.low,
                         slot_list_select(low_behind < codes, codes, low_behind)),
        slot_list_select(high_stays, list.high,
                         slot_list_select(high_behind < codes, codes, high_behind)),
    };
}
