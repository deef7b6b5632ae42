#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

static void the_clock_stands_where_a_test_puts_it(void **state)
{
    (void)state;
    clock_set(5);
    assert_int_equal(clock_now_us(), 5);
    assert_int_equal(clock_now_us(), 5);
    clock_set(0);
    assert_int_not_equal(clock_now_us(), 5);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    uint64_t before = clock_now_us();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_now_us();

        assert_true(now >= before);
        before = now;
    }
}

static void wall_time_is_written_as_rfc_3339(void **state)
{
    char text[CLOCK_TEXT_BYTES];

    (void)state;
    clock_to_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_to_text(UINT64_C(951827696789), text);
    assert_string_equal(text, "2000-02-29T12:34:56.789Z");
    clock_to_text(UINT64_C(253402300799999), text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void the_wall_clock_is_later_than_this_line(void **state)
{
    (void)state;
    assert_true(clock_wall_ms() > UINT64_C(1700000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_stands_where_a_test_puts_it),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(wall_time_is_written_as_rfc_3339),
        cmocka_unit_test(the_wall_clock_is_later_than_this_line),
    };

    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
