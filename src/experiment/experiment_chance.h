/*
 * What chance explains: evenness of counts, and Pearson's chi-square test of counts against shares.
 * Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct experiment_chance {
    double average;
    double cv;              /* coefficient of variation: standard deviation over average */
    double peak_to_average; /* the largest over the average */
    double chi2;
    double chi2_p; /* how likely chance alone leaves counts this far from the shares */
};

/* `shares` sum to 1, those of `counts` that are expected. */
struct experiment_chance experiment_chance_of(const uint64_t *counts, const double *shares,
                                              size_t count);

/* The regularised upper incomplete gamma function Q(a, x), a > 0, x >= 0: a power series below
 * a + 1, Legendre's continued fraction above (Abramowitz and Stegun 6.5.29, 6.5.31). */
double experiment_chance_gamma_q(double a, double x);
