#include "any_config.h"

#include <errno.h>

#include "base/random.h"
#include "config/config_measure.h"

typedef int (*parse_fn)(struct view text, uint64_t *value);
typedef void (*print_fn)(uint64_t value, struct buffer *out);

static void expect_back(parse_fn parse, print_fn print, uint64_t value)
{
    struct buffer out;
    uint64_t again = value + 1;

    buffer_init(&out, 100);
    print(value, &out);
    assert_int_equal(parse(buffer_view(&out), &again), 0);
    assert_true(again == value);
    buffer_finish(&out);
}

static void what_is_printed_is_read_as_the_same(void **state)
{
    (void)state;
    random_seed(3);
    for (int i = 0; i < 10000; i++) {
        uint64_t value = random_next() >> (2 + random_below(62));

        expect_back(config_measure_parse_size, config_measure_print_size, value);
        expect_back(config_measure_parse_duration, config_measure_print_duration, value);
        expect_back(config_measure_parse_decimal, config_measure_print_decimal,
                    value % (UINT64_C(4294967296) * 1000));
    }
}

static void units_multiply(void **state)
{
    uint64_t value;

    (void)state;
    assert_int_equal(config_measure_parse_size(VIEW("3GiB"), &value), 0);
    assert_true(value == UINT64_C(3221225472));
    assert_int_equal(config_measure_parse_size(VIEW("3GB"), &value), 0);
    assert_true(value == UINT64_C(3000000000));
    assert_int_equal(config_measure_parse_duration(VIEW("2h"), &value), 0);
    assert_true(value == 7200000);
    assert_int_equal(config_measure_parse_decimal(VIEW("0.05"), &value), 0);
    assert_true(value == 50);
}

static void what_is_too_large_is_refused(void **state)
{
    uint64_t value = 5;

    (void)state;
    assert_int_equal(config_measure_parse_size(VIEW("8388608TiB"), &value), -EINVAL);
    assert_int_equal(config_measure_parse_size(VIEW("9223372036854775808"), &value), -EINVAL);
    assert_int_equal(config_measure_parse_duration(VIEW("9223372036854775807h"), &value), -EINVAL);
    assert_int_equal(config_measure_parse_decimal(VIEW("4294967296"), &value), -EINVAL);
    assert_true(value == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_is_read_as_the_same),
        cmocka_unit_test(units_multiply),
        cmocka_unit_test(what_is_too_large_is_refused),
    };

    return cmocka_run_group_tests_name("config/config_measure", tests, NULL, NULL);
}
