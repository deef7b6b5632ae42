#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "experiment/experiment_timeline.h"

static uint64_t sum_of(const struct experiment_timeline *timeline, unsigned entry)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < EXPERIMENT_TIMELINE_PIECES; i++)
        sum += timeline->counts[entry][i];
    return sum;
}

static void each_name_is_counted_in_its_time(void **state)
{
    struct experiment_timeline timeline;

    (void)state;
    experiment_timeline_init(&timeline);
    assert_int_equal(experiment_timeline_pieces(&timeline), 0);
    experiment_timeline_add(&timeline, VIEW("a"), 1000);
    experiment_timeline_add(&timeline, VIEW("b"), 1003);
    experiment_timeline_add(&timeline, VIEW("a"), 1003);
    assert_int_equal(timeline.piece_ms, 1);
    assert_int_equal(experiment_timeline_pieces(&timeline), 4);
    assert_int_equal(timeline.counts[0][0], 1);
    assert_int_equal(timeline.counts[0][3], 1);
    assert_int_equal(timeline.counts[1][3], 1);
    assert_int_equal(timeline.total, 3);
    experiment_timeline_finish(&timeline);
}

static void however_long_it_gets_nothing_is_lost(void **state)
{
    struct experiment_timeline timeline;
    uint64_t added = 0;

    (void)state;
    experiment_timeline_init(&timeline);
    for (uint64_t ms = 5; ms < UINT64_C(100000000000); ms = ms * 3 / 2 + 1) {
        experiment_timeline_add(&timeline, VIEW("a"), ms);
        added++;
        assert_true(experiment_timeline_pieces(&timeline) <= EXPERIMENT_TIMELINE_PIECES);
        assert_int_equal(sum_of(&timeline, 0), added);
    }
    experiment_timeline_finish(&timeline);
}

static void a_time_before_the_first_counts_with_it(void **state)
{
    struct experiment_timeline timeline;

    (void)state;
    experiment_timeline_init(&timeline);
    experiment_timeline_add(&timeline, VIEW("a"), 1000);
    experiment_timeline_add(&timeline, VIEW("a"), 900);
    assert_int_equal(timeline.counts[0][0], 2);
    assert_int_equal(timeline.first_ms, 1000);
    experiment_timeline_finish(&timeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_is_counted_in_its_time),
        cmocka_unit_test(however_long_it_gets_nothing_is_lost),
        cmocka_unit_test(a_time_before_the_first_counts_with_it),
    };

    return cmocka_run_group_tests_name("experiment/experiment_timeline", tests, NULL, NULL);
}
