#include "experiment/experiment_chance.h"

#include <math.h>

#define ROUNDS_MAX 100000
#define PRECISION  1e-15
#define TINY       1e-300

/* x^a e^-x / Gamma(a), what both expansions begin with. */
static double front(double a, double x)
{
    return exp(a * log(x) - x - lgamma(a));
}

static double lower_series(double a, double x)
{
    double term = 1 / a;
    double sum = term;

    for (int i = 1; i < ROUNDS_MAX && term > sum * PRECISION; i++) {
        term *= x / (a + i);
        sum += term;
    }
    return sum * front(a, x);
}

static double not_zero(double value)
{
    return fabs(value) < TINY ? TINY : value;
}

/* Evaluated from the front (Lentz 1976). */
static double upper_fraction(double a, double x)
{
    double b = x + 1 - a;
    double c = 1 / TINY;
    double d = 1 / not_zero(b);
    double result = d;

    for (int i = 1; i < ROUNDS_MAX; i++) {
        double an = -i * (i - a);
        double step;

        b += 2;
        d = 1 / not_zero(an * d + b);
        c = not_zero(b + an / c);
        step = d * c;
        result *= step;
        if (fabs(step - 1) < PRECISION)
            break;
    }
    return result * front(a, x);
}

double experiment_chance_gamma_q(double a, double x)
{
    if (x <= 0)
        return 1;
    if (x < a + 1)
        return 1 - lower_series(a, x);
    return upper_fraction(a, x);
}

/* A replica that is due nothing has no say, unless something came: chance explains that never. */
static void test_chi2(const uint64_t *counts, const double *shares, size_t count, double total,
                      struct experiment_chance *chance)
{
    size_t cells = 0;

    chance->chi2_p = 1;
    for (size_t i = 0; i < count; i++) {
        double expected = total * shares[i];
        double off = (double)counts[i] - expected;

        if (expected > 0) {
            chance->chi2 += off * off / expected;
            cells++;
        } else if (counts[i]) {
            chance->chi2_p = 0;
        }
    }
    if (cells > 1 && chance->chi2_p > 0)
        chance->chi2_p = experiment_chance_gamma_q((double)(cells - 1) / 2, chance->chi2 / 2);
}

struct experiment_chance experiment_chance_of(const uint64_t *counts, const double *shares,
                                              size_t count)
{
    struct experiment_chance chance = {.chi2_p = 1};
    double squares = 0;
    double total = 0;
    double peak = 0;

    for (size_t i = 0; i < count; i++) {
        total += (double)counts[i];
        if ((double)counts[i] > peak)
            peak = (double)counts[i];
    }
    if (count == 0 || total <= 0)
        return chance;
    chance.average = total / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += ((double)counts[i] - chance.average) * ((double)counts[i] - chance.average);
    chance.cv = sqrt(squares / (double)count) / chance.average;
    chance.peak_to_average = peak / chance.average;
    test_chi2(counts, shares, count, total, &chance);
    return chance;
}
