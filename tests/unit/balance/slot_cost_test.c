#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "balance/slot_cost.h"
#include "base/random.h"

/* The logarithm by libm's long double, 64 bits of mantissa on x86-64 and more on arm64. */
static long double expected_logarithm(uint64_t h)
{
    return -log1pl(-ldexpl((long double)h, -64));
}

static void assert_near(uint64_t h)
{
    long double expected = expected_logarithm(h);
    long double found = ldexpl((long double)slot_cost_logarithm(h), -58);

    if (fabsl(found - expected) > expected * 1.1e-6L + 1e-16L)
        fail_msg("h %llx: %.20Lf instead of %.20Lf", (unsigned long long)h, found, expected);
}

static void the_logarithm_is_right_to_a_millionth_everywhere(void **state)
{
    (void)state;
    random_seed(1);
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t h = random_next() >> (i % 64);

        assert_near(h);
        assert_near(~h);
    }
    for (uint64_t i = 0; i < 512; i++) {
        assert_near(i << 55);
        assert_near((i << 55) - 1);
    }
    assert_int_equal(slot_cost_logarithm(0), 0);
}

static void the_logarithm_never_falls(void **state)
{
    uint64_t before = 0;

    (void)state;
    for (uint64_t i = 0; i < UINT64_C(1) << 20; i++) {
        uint64_t cost = slot_cost_logarithm(i << 44);

        assert_true(cost >= before);
        before = cost;
    }
    for (unsigned bit = 1; bit < 64; bit++) { /* where one power of two ends and the next begins */
        uint64_t h = 0 - (UINT64_C(1) << bit);

        assert_true(slot_cost_logarithm(h - 1) <= slot_cost_logarithm(h));
        assert_true(slot_cost_logarithm(h) <= slot_cost_logarithm(h + 1));
    }
}

static void the_bound_lets_pass_whatever_costs_no_more(void **state)
{
    static const uint32_t weights[] = {1, 2, 3, 7, 100, 32768, 65535};

    (void)state;
    random_seed(2);
    for (unsigned i = 0; i < 700000; i++) {
        uint32_t weight = weights[i % ARRAY_SIZE(weights)];
        uint64_t h = random_next() >> random_below(40);
        uint64_t cost = slot_cost(h, UINT64_MAX / weight);

        assert_true(cost < SLOT_COST_NONE);
        assert_true(slot_cost_may_beat(h, slot_cost_bound(cost), weight));
        assert_true(slot_cost_may_beat(h, slot_cost_bound(SLOT_COST_NONE), weight));
    }
}

static void a_weight_divides_the_cost(void **state)
{
    (void)state;
    for (uint32_t weight = 1; weight <= 65535; weight += 13) {
        uint64_t one = slot_cost(UINT64_C(1) << 63, UINT64_MAX);
        uint64_t cost = slot_cost(UINT64_C(1) << 63, UINT64_MAX / weight);

        assert_true(cost <= one / weight + 1 && cost + 1 >= one / weight);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_logarithm_is_right_to_a_millionth_everywhere),
        cmocka_unit_test(the_logarithm_never_falls),
        cmocka_unit_test(the_bound_lets_pass_whatever_costs_no_more),
        cmocka_unit_test(a_weight_divides_the_cost),
    };

    return cmocka_run_group_tests_name("balance/slot_cost", tests, NULL, NULL);
}
