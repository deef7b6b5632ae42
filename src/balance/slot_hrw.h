/* What the builder needs of the default scheme to change it by increments. */
#pragma once

#include "balance/scheme.h"
#include "balance/slot_table.h"

unsigned slot_hrw_bits(uint32_t slots);

/* An image whose words are still to be written; a given *image is used again as image_create()
 * does. */
MUST_USE int slot_hrw_prepare(const struct scheme_input *input, struct balance_image **image,
                              struct error *why);

/* An image of a table that was set to the input's roster. */
MUST_USE int slot_hrw_write(const struct scheme_input *input, const struct slot_table *table,
                            struct balance_image **image, struct error *why);
