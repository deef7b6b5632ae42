#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/outlier.h"

#include <string.h>

#define MS UINT64_C(1000)
#define S  UINT64_C(1000000)

static const struct outlier_rules rules = {
    .consecutive = 5,
    .base_ms = 10000,
    .most_ms = 60000,
    .trials = 3,
    .floor_thousandths = 500,
};

static const struct outlier_rules slow_rules = {
    .base_ms = 10000,
    .most_ms = 60000,
    .trials = 3,
    .floor_thousandths = 500,
    .latency_thousandths = 3000,
    .latency_min_ms = 100,
    .latency_window_ms = 10000,
    .latency_requests = 50,
};

/* One replica as one worker counts it. */
struct life {
    struct outlier outlier;
    struct outlier_figures figures;
    uint64_t now_us;
};

static void begin(struct life *life)
{
    memset(life, 0, sizeof(*life));
    life->now_us = 1000 * S;
    outlier_begin(&life->outlier, &life->figures, life->now_us);
}

static void bad(struct life *life, unsigned count)
{
    life->figures.bad += count;
    life->figures.bad_run += count;
}

static void good(struct life *life, unsigned count)
{
    life->now_us += MS;
    life->figures.good += count;
    life->figures.good_us = life->now_us;
    life->figures.bad_run = 0;
}

static enum outlier_action judge_by(struct life *life, const struct outlier_rules *by)
{
    enum outlier_action action = outlier_judge(&life->outlier, by, &life->figures, life->now_us);

    outlier_become(&life->outlier, action, by, &life->figures, life->now_us);
    return action;
}

static enum outlier_action judge(struct life *life)
{
    return judge_by(life, &rules);
}

static void answer_in(struct life *life, unsigned count, uint64_t wait_us)
{
    life->figures.wait[segments_bucket(wait_us)] += count;
}

static void so_many_bad_answers_in_a_row_eject(void **state)
{
    struct life life;

    (void)state;
    begin(&life);
    for (unsigned i = 1; i < 5; i++) {
        bad(&life, 1);
        assert_int_equal(judge(&life), OUTLIER_NOTHING);
    }
    bad(&life, 1);
    assert_int_equal(judge(&life), OUTLIER_EJECT);
    assert_string_equal(life.outlier.why, "5 answers 5xx in a row");
    assert_int_equal(life.outlier.until_us, life.now_us + 10 * S);
}

static void a_good_answer_between_begins_the_row_anew(void **state)
{
    struct life life;

    (void)state;
    begin(&life);
    for (unsigned i = 0; i < 20; i++) {
        bad(&life, 4);
        assert_int_equal(judge(&life), OUTLIER_NOTHING);
        good(&life, 1);
        /* And with bad ones behind it before it is looked at. */
        bad(&life, i % 5);
        assert_int_equal(judge(&life), OUTLIER_NOTHING);
        good(&life, 1);
    }
    good(&life, 1);
    bad(&life, 5);
    assert_int_equal(judge(&life), OUTLIER_EJECT);
}

/* Two workers: 3 and 2 bad answers are 5; a good one at either of them ends the row of both. */
static void rows_go_over_all_workers(void **state)
{
    struct life life;

    (void)state;
    begin(&life);
    life.figures.bad = 3;
    life.figures.bad_run = 3;
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
    life.figures.good = 1;
    life.figures.good_us = life.now_us + MS;
    life.figures.bad_run = 0; /* of the other worker, which had the good one */
    life.figures.bad = 5;
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
    life.figures.bad = 9;
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
    life.figures.bad = 10;
    assert_int_equal(judge(&life), OUTLIER_EJECT);
}

static void what_it_answered_before_it_was_in_use_does_not_count(void **state)
{
    struct life life;

    (void)state;
    begin(&life);
    bad(&life, 100);
    outlier_begin(&life.outlier, &life.figures, life.now_us);
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
    bad(&life, 4);
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
}

static void connections_that_break_eject_nobody(void **state)
{
    struct life life;

    (void)state;
    begin(&life);
    life.figures.failures += 1000;
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
}

static void its_time_over_it_is_tried_and_good_answers_restore_it(void **state)
{
    struct life life;

    (void)state;
    begin(&life);
    bad(&life, 5);
    judge(&life);
    life.now_us += 10 * S - 1;
    good(&life, 100); /* of requests that were under way */
    life.now_us -= MS;
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
    life.now_us += 1;
    assert_int_equal(judge(&life), OUTLIER_TRY);
    good(&life, 2);
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
    /* One that broke off: counted from there. */
    life.figures.failures++;
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
    good(&life, 2);
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
    good(&life, 1);
    assert_int_equal(judge(&life), OUTLIER_RESTORE);
    assert_int_equal(life.outlier.state, OUTLIER_IN);
    bad(&life, 4);
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
}

static void each_ejection_lasts_twice_as_long_up_to_the_most(void **state)
{
    static const uint64_t seconds[] = {10, 20, 40, 60, 60, 60};
    struct life life;

    (void)state;
    begin(&life);
    bad(&life, 5);
    for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
        assert_int_equal(judge(&life), OUTLIER_EJECT);
        assert_int_equal(life.outlier.until_us - life.now_us, seconds[i] * S);
        life.now_us = life.outlier.until_us;
        assert_int_equal(judge(&life), OUTLIER_TRY);
        bad(&life, 1);
    }
}

static void ejections_are_forgotten_after_the_longest_of_them_in_rotation(void **state)
{
    struct life life;

    (void)state;
    begin(&life);
    for (unsigned i = 0; i < 3; i++) {
        bad(&life, 5);
        assert_int_equal(judge(&life), OUTLIER_EJECT);
        life.now_us = life.outlier.until_us;
        assert_int_equal(judge(&life), OUTLIER_TRY);
        good(&life, 3);
        assert_int_equal(judge(&life), OUTLIER_RESTORE);
        life.now_us += 59 * S;
        assert_int_equal(judge(&life), OUTLIER_NOTHING);
    }
    assert_int_equal(life.outlier.ejections, 3);
    life.now_us += 1 * S;
    judge(&life);
    assert_int_equal(life.outlier.ejections, 0);
    bad(&life, 5);
    assert_int_equal(judge(&life), OUTLIER_EJECT);
    assert_int_equal(life.outlier.until_us - life.now_us, 10 * S);
}

/* It is late by an hour: everybody was stopped. */
static void time_that_passes_alone_ejects_nobody(void **state)
{
    struct life life;

    (void)state;
    begin(&life);
    bad(&life, 4);
    judge(&life);
    life.now_us += 3600 * S;
    assert_int_equal(judge(&life), OUTLIER_NOTHING);
}

static void the_floor_and_the_last_one_are_kept(void **state)
{
    struct outlier_rules at = rules;

    (void)state;
    assert_false(outlier_may_go(&at, 1, 1));
    assert_true(outlier_may_go(&at, 2, 2));
    assert_false(outlier_may_go(&at, 1, 2));
    assert_true(outlier_may_go(&at, 3, 3));
    assert_false(outlier_may_go(&at, 2, 3));
    assert_true(outlier_may_go(&at, 6, 10));
    assert_false(outlier_may_go(&at, 5, 10));
    at.floor_thousandths = 900;
    assert_true(outlier_may_go(&at, 10, 10));
    assert_false(outlier_may_go(&at, 9, 10));
    at.floor_thousandths = 1000;
    assert_false(outlier_may_go(&at, 10, 10));
}

static void one_that_is_many_times_slower_than_the_median_is_found(void **state)
{
    struct outlier_window windows[] = {{100, 50 * MS}, {100, 60 * MS}, {100, 500 * MS}};
    uint64_t limit_us;

    (void)state;
    assert_int_equal(outlier_find_slow(&slow_rules, windows, 3, &limit_us), 2);
    assert_int_equal(limit_us, 180 * MS);
    windows[2].median_us = 180 * MS;
    assert_int_equal(outlier_find_slow(&slow_rules, windows, 3, &limit_us), -1);
    /* Below the least that is slow at all. */
    windows[0].median_us = windows[1].median_us = 1 * MS;
    windows[2].median_us = 100 * MS;
    assert_int_equal(outlier_find_slow(&slow_rules, windows, 3, &limit_us), -1);
}

static void the_slowest_goes_first_and_where_half_are_slow_nobody_is(void **state)
{
    struct outlier_window windows[] = {
        {99, 700 * MS}, {99, 10 * MS}, {99, 10 * MS}, {99, 900 * MS}, {99, 10 * MS}};
    uint64_t limit_us;

    (void)state;
    assert_int_equal(outlier_find_slow(&slow_rules, windows, 5, &limit_us), 3);
    assert_int_equal(outlier_find_slow(&slow_rules, windows, 4, &limit_us), -1);
}

static void too_few_requests_or_replicas_say_nothing(void **state)
{
    struct outlier_window windows[] = {{50, 10 * MS}, {50, 10 * MS}, {50, 9 * S}};
    struct outlier_rules off = slow_rules;
    uint64_t limit_us;

    (void)state;
    assert_int_equal(outlier_find_slow(&slow_rules, windows, 3, &limit_us), 2);
    assert_int_equal(outlier_find_slow(&slow_rules, windows + 1, 2, &limit_us), -1);
    assert_int_equal(outlier_find_slow(&slow_rules, windows, 0, &limit_us), -1);
    windows[0].requests = 49;
    assert_int_equal(outlier_find_slow(&slow_rules, windows, 3, &limit_us), -1);
    windows[0].requests = 50;
    windows[2].requests = 49;
    assert_int_equal(outlier_find_slow(&slow_rules, windows, 3, &limit_us), -1);
    windows[2].requests = 50;
    off.latency_thousandths = 0;
    assert_int_equal(outlier_find_slow(&off, windows, 3, &limit_us), -1);
}

static void a_window_has_what_came_in_it_alone(void **state)
{
    struct outlier_window window;
    struct life life;

    (void)state;
    begin(&life);
    answer_in(&life, 1000, 5 * S);
    outlier_begin_window(&life.outlier, &life.figures);
    answer_in(&life, 60, 10 * MS);
    answer_in(&life, 40, 1 * S);
    window = outlier_end_window(&life.outlier, &life.figures);
    assert_int_equal(window.requests, 100);
    assert_in_range(window.median_us, 10 * MS, 13 * MS);
    /* A worker that has ended takes its part with it. */
    memset(life.figures.wait, 0, sizeof(life.figures.wait));
    assert_int_equal(outlier_end_window(&life.outlier, &life.figures).requests, 0);
}

static void a_slow_one_has_to_be_fast_on_probation(void **state)
{
    struct outlier_window window = {100, 900 * MS};
    struct life life;

    (void)state;
    begin(&life);
    outlier_blame_slow(&life.outlier, &window, 150 * MS);
    outlier_become(&life.outlier, OUTLIER_EJECT, &slow_rules, &life.figures, life.now_us);
    assert_string_equal(life.outlier.why,
                        "slow: half of 100 answers took more than 900 ms, 150 would do");
    life.now_us += 10 * S;
    assert_int_equal(judge_by(&life, &slow_rules), OUTLIER_TRY);
    answer_in(&life, 3, 800 * MS);
    good(&life, 3);
    assert_int_equal(judge_by(&life, &slow_rules), OUTLIER_EJECT);
    life.now_us += 20 * S;
    assert_int_equal(judge_by(&life, &slow_rules), OUTLIER_TRY);
    answer_in(&life, 1, 800 * MS);
    answer_in(&life, 2, 50 * MS);
    good(&life, 3);
    assert_int_equal(judge_by(&life, &slow_rules), OUTLIER_RESTORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_bad_answers_in_a_row_eject),
        cmocka_unit_test(a_good_answer_between_begins_the_row_anew),
        cmocka_unit_test(rows_go_over_all_workers),
        cmocka_unit_test(what_it_answered_before_it_was_in_use_does_not_count),
        cmocka_unit_test(connections_that_break_eject_nobody),
        cmocka_unit_test(its_time_over_it_is_tried_and_good_answers_restore_it),
        cmocka_unit_test(each_ejection_lasts_twice_as_long_up_to_the_most),
        cmocka_unit_test(ejections_are_forgotten_after_the_longest_of_them_in_rotation),
        cmocka_unit_test(time_that_passes_alone_ejects_nobody),
        cmocka_unit_test(the_floor_and_the_last_one_are_kept),
        cmocka_unit_test(one_that_is_many_times_slower_than_the_median_is_found),
        cmocka_unit_test(the_slowest_goes_first_and_where_half_are_slow_nobody_is),
        cmocka_unit_test(too_few_requests_or_replicas_say_nothing),
        cmocka_unit_test(a_window_has_what_came_in_it_alone),
        cmocka_unit_test(a_slow_one_has_to_be_fast_on_probation),
    };

    return cmocka_run_group_tests_name("control/outlier", tests, NULL, NULL);
}
