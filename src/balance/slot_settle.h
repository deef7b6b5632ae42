/*
 * Who owns what: slots 0, 1, … in order each take the cheapest member that still has room. That is
 * the one stable matching in which every member prefers low slots, so it depends on the set of
 * members, the key, the number of slots and the cap alone (Gale, Shapley 1962).
 */
#pragma once

#include "balance/slot_table.h"

/* How many slots a member may own: max(ceil(f), floor(f · (1 + cap) + j)) with f the fair share
 * slots · weight / weights, `cap` in 1/100 percent and j in [0, 1) from the member's name, so that
 * rounding does not move the caps of all members at once. */
uint32_t slot_settle_cap(uint32_t slots, uint32_t cap, const struct balance_entry *entry,
                         uint64_t weights);

/*
 * Writes one word of four ids a slot: the owner, then the cheapest others; ids are indexes in the
 * roster of the last slot_table_set(). `cap` may be BALANCE_CAP_OFF: the cheapest owns.
 */
void slot_settle(const struct slot_table *table, uint32_t cap, uint64_t *words);

/* The place of the slot's cheapest member of which there is `room`, by place, and its cost; or
 * BALANCE_NONE. */
unsigned slot_settle_find(const struct slot_table *table, uint32_t slot, const uint32_t *room,
                          uint64_t *cost);
