/*
 * Who would own what with other members: a table's lists settled as if it had them, the table left
 * as it is.
 */
#pragma once

#include "balance/slot_table.h"

/*
 * The owners as slot_table_set() with `roster` and slot_settle() would give them, one word a slot;
 * ids are indexes in `roster`, and of each word only the owner's is right. Each member added or of
 * another weight costs a look at every slot, those removed cost nothing.
 */
void slot_trial(const struct slot_table *table, const struct roster *roster, uint32_t cap,
                uint64_t *words);
