/*
 * What the schemes that look at the load share: the active members as a list, and which of two has
 * less to do. A member's load is (in flight + 1) / weight, what it would have with one more.
 */
#pragma once

#include "balance/image.h"

/* As scheme->check and scheme->build: no option matters, the table is uint16_t[active]. */
int least_loaded_check(struct balance_options *options, struct error *why);
int least_loaded_build(const struct scheme_input *input, struct balance_image **image,
                       struct error *why);

/* Below, equal to or above 0 as `a` has less, as much or more to do than `b`. */
int least_loaded_compare(const struct balance_image *image, const struct balance_load *load,
                         unsigned a, unsigned b);
