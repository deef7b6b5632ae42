#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/attribute.h"
#include "load/load_histogram.h"

static struct load_histogram histogram;

static int set_up(void **state)
{
    (void)state;
    load_histogram_clear(&histogram);
    return 0;
}

static void nothing_has_no_quantile(void **state)
{
    (void)state;
    assert_int_equal(load_histogram_quantile_us(&histogram, 0.5), 0);
    assert_true(load_histogram_mean_us(&histogram) == 0);
}

static void buckets_follow_each_other_without_gap_or_overlap(void **state)
{
    (void)state;
    assert_int_equal(load_histogram_start_us(0), 0);
    for (unsigned i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++) {
        uint64_t start = load_histogram_start_us(i);
        uint64_t end = load_histogram_start_us(i + 1);

        assert_true(end > start);
        load_histogram_clear(&histogram);
        load_histogram_add(&histogram, start);
        load_histogram_add(&histogram, end - 1);
        assert_int_equal(histogram.buckets[i], 2);
    }
}

static void a_single_latency_is_told_exactly(void **state)
{
    (void)state;
    load_histogram_add(&histogram, 123457);
    assert_int_equal(load_histogram_quantile_us(&histogram, 0.5), 123457);
    assert_int_equal(load_histogram_quantile_us(&histogram, 0.999), 123457);
}

/* 1, 2, ... n: the q-quantile is q·n. */
static void quantiles_are_right_to_one_percent_at_every_size(void **state)
{
    static const double quantiles[] = {0.01, 0.25, 0.5, 0.9, 0.99, 0.999};

    (void)state;
    for (uint64_t step = 1; step <= 1000000; step *= 10) {
        load_histogram_clear(&histogram);
        for (uint64_t i = 1; i <= 10000; i++)
            load_histogram_add(&histogram, i * step);
        for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
            double exact = quantiles[i] * 10000 * (double)step;
            double told = (double)load_histogram_quantile_us(&histogram, quantiles[i]);

            assert_true(told >= exact * 0.99 - 1 && told <= exact * 1.01 + 1);
        }
        assert_true(load_histogram_mean_us(&histogram) == 5000.5 * (double)step);
    }
}

static void what_is_too_long_counts_in_the_last_bucket_and_as_the_largest(void **state)
{
    (void)state;
    load_histogram_add(&histogram, UINT64_MAX / 2);
    assert_int_equal(histogram.buckets[LOAD_HISTOGRAM_BUCKETS - 1], 1);
    assert_true(histogram.max_us == UINT64_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_has_no_quantile, set_up),
        cmocka_unit_test_setup(buckets_follow_each_other_without_gap_or_overlap, set_up),
        cmocka_unit_test_setup(a_single_latency_is_told_exactly, set_up),
        cmocka_unit_test_setup(quantiles_are_right_to_one_percent_at_every_size, set_up),
        cmocka_unit_test_setup(what_is_too_long_counts_in_the_last_bucket_and_as_the_largest,
                               set_up),
    };

    return cmocka_run_group_tests_name("load/load_histogram", tests, NULL, NULL);
}
