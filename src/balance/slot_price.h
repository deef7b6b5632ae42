/*
 * What one member costs many slots: codes of its costs, as the lists of a slot_table keep them.
 */
#pragma once

#include "balance/slot_table.h"

#define SLOT_PRICE_MAX 1024 /* slots at a time */

/* Writes the numbers of all `size` slots from `start` on; returns how many these are. */
unsigned slot_price_all(uint32_t start, uint32_t size, uint32_t *slots);

/*
 * The same of those slots only where the member may have a code that is not above the slot's bound:
 * of all that do and of few that do not. Bounds are `stride` apart, the first is that of `start`.
 */
unsigned slot_price_sift(const struct slot_table *table, uint32_t start, uint32_t size,
                         const struct balance_entry *member, const int16_t *bounds, size_t stride,
                         uint32_t *slots);

/* The member's codes in `count` slots, SLOT_PRICE_MAX at most. */
void slot_price_codes(const struct slot_table *table, const uint32_t *slots, unsigned count,
                      const struct balance_entry *member, int16_t *codes);
