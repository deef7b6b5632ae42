/* What the builder needs of the default scheme to change it by increments. */
#pragma once

#include "balance/scheme.h"
#include "balance/slot_table.h"

unsigned slot_hrw_bits(uint32_t slots);

/* An image of a table that was set to the input's roster. As image_create(). */
MUST_USE int slot_hrw_write(const struct scheme_input *input, const struct slot_table *table,
                            struct balance_image **image, struct error *why);
