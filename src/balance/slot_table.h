/*
 * The working state behind slot-hrw: for every slot the four cheapest members and what they cost.
 * One changed member touches only the slots where it is or comes among the four; the result is the
 * same as a full build, whatever the way to it. Writing the table out settles who owns what.
 * Owner: whoever called slot_table_create().
 */
#pragma once

#include "balance/roster.h"

struct slot_table;

/* For 2^bits slots; empty. `secret` is copied. */
struct slot_table *slot_table_create(unsigned bits, const uint8_t secret[BALANCE_SECRET_BYTES]);

/* NULL is harmless. */
void slot_table_destroy(struct slot_table *table);

/* Makes the members those of `roster`, in place of those it had: by increments where few differ,
 * else anew. */
void slot_table_set(struct slot_table *table, const struct roster *roster);

/*
 * Settles and writes one word of four ids a slot: the owner, then the cheapest others; ids are
 * indexes in the roster of the last slot_table_set(). No member owns more than its cap; `cap` in
 * 1/100 percent or BALANCE_CAP_OFF.
 */
void slot_table_write(const struct slot_table *table, uint32_t cap, uint64_t *words);

/* How many slots a member may own: max(ceil(f), floor(f · (1 + cap) + j)) with f the fair share
 * slots · weight / weights and j in [0, 1) from its name, so that rounding does not move the caps
 * of all members at once. */
uint32_t slot_table_cap(uint32_t slots, uint32_t cap, const struct balance_entry *entry,
                        uint64_t weights);
