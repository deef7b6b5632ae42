/*
 * The cheapest members of each slot of a slot_table: all anew, or what one changed member changes.
 * Order of members: by cost, a tie by `low` of the name's hash.
 */
#pragma once

#include "balance/slot_table.h"

/* Finds them all. Places are used without a gap. */
void slot_rank_all(struct slot_table *table);

/* The member of `place` had the weight `before` (0: was not there) and has another now (0: is
 * gone, its place all zeros); everything else is as it was. */
void slot_rank_change(struct slot_table *table, uint16_t place, uint32_t before);
