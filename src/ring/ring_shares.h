/* `roost ring shares`, and what other verbs want to know of shares. */
#pragma once

#include "ring/ring_options.h"

/* Returns the exit status. */
int ring_shares(const struct ring_options *options);

/*
 * Each member's share of all keys, by index, summing to 1 where there is a member with a weight.
 * Of the keys --keys names (classic: of all six-digit numbers), else of the whole key space; of a
 * scheme without keys, by its weights. -EINVAL with a sentence.
 */
MUST_USE int ring_shares_compute(const struct ring_options *options,
                                 const struct balance_image *image, double *shares,
                                 struct error *why);

/* How far shares are from those of the weights: the largest as a multiple of its due, and the
 * coefficient of variation of all such multiples. */
struct ring_shares_evenness {
    double peak;
    double variation;
};

struct ring_shares_evenness ring_shares_evenness(const struct balance_image *image,
                                                 const double *shares);
