#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "load/load_result.h"

#define START_US UINT64_C(1000000)
#define PIECE_US UINT64_C(100000)

static struct load_result result;

static int set_up(void **state)
{
    (void)state;
    load_result_init(&result, PIECE_US, START_US);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    load_result_finish(&result);
    return 0;
}

static void answer(uint16_t status, uint64_t took_us, uint64_t after_us)
{
    load_result_answer(&result, status, LOAD_TALLY_NONE, took_us, START_US + after_us);
}

static void answers_and_failures_are_counted_by_kind(void **state)
{
    (void)state;
    answer(200, 1000, 10);
    answer(302, 1000, 20);
    answer(404, 1000, 30);
    answer(503, 1000, 40);
    load_result_fail(&result, LOAD_REFUSED, START_US + 50);
    load_result_fail(&result, LOAD_TIMED_OUT, START_US + 60);
    assert_int_equal(result.requests, 6);
    assert_int_equal(result.answers, 4);
    assert_int_equal(result.lost, 4);
    assert_int_equal(result.statuses[404], 1);
    assert_int_equal(result.failures[LOAD_REFUSED], 1);
    assert_int_equal(result.failures[LOAD_TIMED_OUT], 1);
    assert_int_equal(result.latency.count, 4);
}

static void replicas_are_counted_by_name(void **state)
{
    uint16_t entry;

    (void)state;
    entry = load_tally_find(&result.replicas, VIEW("Server 1"));
    load_result_answer(&result, 200, entry, 5, START_US);
    load_result_answer(&result, 200, entry, 5, START_US);
    assert_int_equal(load_tally_of(&result.replicas, "Server 1"), 2);
}

static void the_rate_is_of_the_time_until_the_last_end(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 50; i++)
        answer(200, 100, i * 10000);
    assert_true(load_result_seconds(&result) == 0.5);
    assert_true(load_result_rate(&result) == 100);
}

static void the_time_line_has_a_piece_for_each_stretch_the_empty_ones_too(void **state)
{
    (void)state;
    answer(200, 1000, 1);
    answer(200, 3000, PIECE_US - 1);
    answer(500, 7000, 3 * PIECE_US);
    load_result_close(&result, START_US + 5 * PIECE_US);
    assert_int_equal(result.moment_count, 5);
    assert_int_equal(result.moments[0].answers, 2);
    assert_int_equal(result.moments[0].errors, 0);
    assert_int_equal(result.moments[0].max_us, 3000);
    assert_int_equal(result.moments[1].answers, 0);
    assert_int_equal(result.moments[1].max_us, 0);
    assert_int_equal(result.moments[3].answers, 1);
    assert_int_equal(result.moments[3].errors, 1);
    assert_int_equal(result.moments[4].answers, 0);
}

static void the_last_piece_may_be_shorter(void **state)
{
    (void)state;
    answer(200, 1000, PIECE_US / 2);
    load_result_close(&result, START_US + PIECE_US / 2);
    assert_int_equal(result.moment_count, 1);
    assert_int_equal(result.moments[0].answers, 1);
}

static void what_is_recent_can_be_forgotten(void **state)
{
    (void)state;
    answer(200, 1000, 1);
    load_result_forget_recent(&result);
    answer(200, 5000, 2);
    assert_int_equal(load_histogram_quantile_us(&result.recent, 0.5), 5000);
    assert_int_equal(result.latency.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_and_failures_are_counted_by_kind, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(replicas_are_counted_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_rate_is_of_the_time_until_the_last_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            the_time_line_has_a_piece_for_each_stretch_the_empty_ones_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_piece_may_be_shorter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_recent_can_be_forgotten, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("load/load_result", tests, NULL, NULL);
}
