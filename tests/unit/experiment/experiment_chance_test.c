#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <math.h>

#include "base/attribute.h"
#include "experiment/experiment_chance.h"

#define NEAR(a, b, precision) assert_true(fabs((a) - (b)) <= (precision)*fabs(b))

/* The 5 % and 0.1 % points of chi-square as every table prints them, to its three decimals. */
static void the_chi_square_tables_are_reproduced(void **state)
{
    static const struct {
        unsigned degrees;
        double point;
        double p;
    } table[] = {
        {1, 3.841, 0.05},   {2, 5.991, 0.05},    {3, 7.815, 0.05},      {5, 11.070, 0.05},
        {10, 18.307, 0.05}, {30, 43.773, 0.05},  {100, 124.342, 0.05},  {1, 10.828, 0.001},
        {2, 13.816, 0.001}, {10, 29.588, 0.001}, {100, 149.449, 0.001}, {10, 3.940, 0.95},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        NEAR(experiment_chance_gamma_q(table[i].degrees / 2.0, table[i].point / 2), table[i].p,
             0.001);
}

/* Q(1, x) = exp(-x); Q(1/2, x) = erfc(sqrt(x)); Q(2, x) = (1 + x) exp(-x). */
static void closed_forms_are_met_on_both_sides_of_the_switch(void **state)
{
    (void)state;
    for (double x = 0.01; x < 60; x *= 1.3) {
        NEAR(experiment_chance_gamma_q(1, x), exp(-x), 1e-10);
        NEAR(experiment_chance_gamma_q(0.5, x), erfc(sqrt(x)), 1e-10);
        NEAR(experiment_chance_gamma_q(2, x), (1 + x) * exp(-x), 1e-10);
    }
    assert_true(experiment_chance_gamma_q(3, 0) == 1);
}

static void even_counts_have_no_variation(void **state)
{
    static const uint64_t counts[] = {100, 100, 100, 100};
    static const double shares[] = {0.25, 0.25, 0.25, 0.25};
    struct experiment_chance chance = experiment_chance_of(counts, shares, 4);

    (void)state;
    assert_true(chance.cv == 0 && chance.peak_to_average == 1 && chance.chi2 == 0);
    assert_true(chance.chi2_p == 1 && chance.average == 100);
}

/* By hand: average 100, deviations 20, 0, -20; chi2 = 4 + 0 + 4; p = exp(-4) for two degrees. */
static void a_case_worked_by_hand(void **state)
{
    static const uint64_t counts[] = {120, 100, 80};
    static const double shares[] = {1.0 / 3, 1.0 / 3, 1.0 / 3};
    struct experiment_chance chance = experiment_chance_of(counts, shares, 3);

    (void)state;
    NEAR(chance.cv, sqrt(800.0 / 3) / 100, 1e-12);
    NEAR(chance.peak_to_average, 1.2, 1e-12);
    NEAR(chance.chi2, 8.0, 1e-12);
    NEAR(chance.chi2_p, exp(-4), 1e-10);
}

static void uneven_shares_explain_uneven_counts(void **state)
{
    static const uint64_t counts[] = {500, 300, 200};
    static const double shares[] = {0.5, 0.3, 0.2};

    (void)state;
    assert_true(experiment_chance_of(counts, shares, 3).chi2_p > 0.999);
}

static void an_answer_from_who_is_due_none_is_no_chance(void **state)
{
    static const uint64_t counts[] = {99, 1};
    static const uint64_t right[] = {100, 0};
    static const double shares[] = {1, 0};

    (void)state;
    assert_true(experiment_chance_of(counts, shares, 2).chi2_p == 0);
    assert_true(experiment_chance_of(right, shares, 2).chi2_p == 1);
}

static void nothing_measured_is_nothing_found(void **state)
{
    static const uint64_t counts[] = {0, 0};
    static const double shares[] = {0.5, 0.5};
    struct experiment_chance chance = experiment_chance_of(counts, shares, 2);

    (void)state;
    assert_true(chance.cv == 0 && chance.chi2_p == 1 && chance.peak_to_average == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chi_square_tables_are_reproduced),
        cmocka_unit_test(closed_forms_are_met_on_both_sides_of_the_switch),
        cmocka_unit_test(even_counts_have_no_variation),
        cmocka_unit_test(a_case_worked_by_hand),
        cmocka_unit_test(uneven_shares_explain_uneven_counts),
        cmocka_unit_test(an_answer_from_who_is_due_none_is_no_chance),
        cmocka_unit_test(nothing_measured_is_nothing_found),
    };

    return cmocka_run_group_tests_name("experiment/experiment_chance", tests, NULL, NULL);
}
