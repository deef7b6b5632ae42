#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>

#include "base/attribute.h"
#include "experiment/experiment_placement.h"

static struct error why;

static void the_published_shares_of_the_classic_ring_are_counted(void **state)
{
    static const struct {
        struct experiment_scheme scheme;
        double shares[3];
    } cases[] = {
        {{"classic", "quadratic", "quadratic"}, {84.4, 4.7, 10.9}},
        {{"classic", "quadratic-2", "mixed"}, {96.5, 1.8, 1.8}},
        {{"classic", "linear", "linear"}, {96.5, 1.8, 1.8}},
        {{"classic", "modulo", "quadratic"}, {89.3, 4.3, 6.4}},
        {{"classic", "mix32", "fnv1a"}, {36.7, 48.3, 15.0}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct experiment_placement placement;

        assert_int_equal(experiment_placement_build(&placement, &cases[i].scheme, 3, &why), 0);
        for (unsigned j = 0; j < 3; j++)
            assert_true(fabs(100 * placement.shares[j] - cases[i].shares[j]) < 0.0501);
        experiment_placement_finish(&placement);
    }
}

static void shares_sum_to_one_in_every_scheme(void **state)
{
    (void)state;
    for (unsigned i = 0; balance_scheme_name(i); i++) {
        struct experiment_scheme scheme = {.scheme = balance_scheme_name(i)};
        struct experiment_placement placement;
        double sum = 0;

        assert_int_equal(experiment_placement_build(&placement, &scheme, 5, &why), 0);
        for (unsigned j = 0; j < 5; j++)
            sum += placement.shares[j];
        assert_true(fabs(sum - 1) < 1e-9);
        experiment_placement_finish(&placement);
    }
}

static void what_moved_is_what_a_look_at_each_key_finds(void **state)
{
    struct experiment_scheme scheme = {.scheme = "maglev"};
    struct experiment_placement before;
    struct experiment_placement after;
    unsigned moved = 0;
    unsigned idly = 0;
    double excess;

    (void)state;
    assert_int_equal(experiment_placement_build(&before, &scheme, 3, &why), 0);
    assert_int_equal(experiment_placement_build(&after, &scheme, 4, &why), 0);
    for (unsigned key = EXPERIMENT_KEY_FIRST; key < EXPERIMENT_KEY_FIRST + EXPERIMENT_KEY_COUNT;
         key++) {
        char text[8];
        struct view view = {text, (size_t)snprintf(text, sizeof(text), "%u", key)};
        unsigned from = experiment_placement_owner(&before, view);
        unsigned to = experiment_placement_owner(&after, view);

        moved += from != to;
        idly += from != to && to != 3;
    }
    assert_true(fabs(experiment_placement_moved(&before, &after, &excess) -
                     (double)moved / EXPERIMENT_KEY_COUNT) < 1e-12);
    assert_true(fabs(excess - (double)idly / EXPERIMENT_KEY_COUNT) < 1e-12);
    assert_true(moved >= (unsigned)(after.shares[3] * EXPERIMENT_KEY_COUNT));
    experiment_placement_finish(&before);
    experiment_placement_finish(&after);
}

static void what_cannot_be_built_is_said(void **state)
{
    struct experiment_scheme scheme = {.scheme = "classic"};
    struct experiment_placement placement;
    double ns;

    (void)state;
    /* 512 slots hold 56 times nine virtual servers. */
    assert_true(experiment_placement_build(&placement, &scheme, 60, &why) < 0);
    assert_true(experiment_placement_build(&placement, &scheme, 1000, &why) < 0);
    assert_true(experiment_placement_lookup_ns(&scheme, 60, &ns, &why) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_shares_of_the_classic_ring_are_counted),
        cmocka_unit_test(shares_sum_to_one_in_every_scheme),
        cmocka_unit_test(what_moved_is_what_a_look_at_each_key_finds),
        cmocka_unit_test(what_cannot_be_built_is_said),
    };

    return cmocka_run_group_tests_name("experiment/experiment_placement", tests, NULL, NULL);
}
