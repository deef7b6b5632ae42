/*
 * Finds the cheapest members of a slot among all there are.
 */
#pragma once

#include "balance/slot_table.h"

/* Makes room for so many places. */
void slot_fill_reserve(struct slot_table *table, uint32_t places);

/* Notes who there is to choose from: whenever the members have changed. */
void slot_fill_prepare(struct slot_table *table);

/* Fills the slot's list: with the four that are published at least, or all. */
void slot_fill(struct slot_table *table, uint32_t slot);
