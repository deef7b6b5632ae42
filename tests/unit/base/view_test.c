#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/view.h"

static void assert_view(struct view v, const char *expected)
{
    assert_int_equal(v.size, strlen(expected));
    assert_memory_equal(v.data, expected, v.size);
}

static void views_of_nothing_are_equal_and_may_be_cut(void **state)
{
    struct view nothing = {0};

    (void)state;
    assert_true(view_equals(nothing, VIEW("")));
    assert_int_equal(view_after(nothing, 3).size, 0);
    assert_int_equal(view_first(nothing, 3).size, 0);
    assert_int_equal(view_find(nothing, 'x'), 0);
    assert_int_equal(view_trim(nothing).size, 0);
    assert_int_equal(view_of(NULL).size, 0);
    assert_true(view_starts_with(nothing, VIEW("")));
}

static void first_and_after_split_anywhere_and_never_beyond_the_end(void **state)
{
    struct view v = VIEW("abcdef");

    (void)state;
    for (size_t cut = 0; cut < 10; cut++) {
        size_t expected = cut < 6 ? cut : 6;

        assert_int_equal(view_first(v, cut).size, expected);
        assert_int_equal(view_after(v, cut).size, 6 - expected);
        assert_ptr_equal(view_after(v, cut).data, v.data + expected);
    }
}

static void case_is_ignored_for_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(view_equals_nocase(VIEW("Content-LENGTH"), VIEW("content-length")));
    assert_false(view_equals_nocase(VIEW("a"), VIEW("ab")));
    assert_false(view_equals_nocase(VIEW("@"), VIEW("`")));
    assert_false(view_equals_nocase(VIEW("["), VIEW("{")));
    assert_false(view_equals_nocase(VIEW("\xc4"), VIEW("\xe4")));
}

static void trimming_takes_spaces_and_tabs_and_nothing_else(void **state)
{
    (void)state;
    assert_view(view_trim(VIEW(" \t a b\t ")), "a b");
    assert_view(view_trim(VIEW(" \t ")), "");
    assert_view(view_trim(VIEW("\r\n")), "\r\n");
}

static void a_list_gives_its_elements_trimmed_and_without_the_empty_ones(void **state)
{
    struct view list = VIEW(", a ,,\tb c,\t, d,");
    struct view element;

    (void)state;
    assert_true(view_next_in_list(&list, &element));
    assert_view(element, "a");
    assert_true(view_next_in_list(&list, &element));
    assert_view(element, "b c");
    assert_true(view_next_in_list(&list, &element));
    assert_view(element, "d");
    assert_false(view_next_in_list(&list, &element));
    assert_false(view_next_in_list(&list, &element));
    assert_view(element, "d");
}

static void numbers_up_to_the_limit_are_read_and_none_above(void **state)
{
    uint64_t number = 77;

    (void)state;
    assert_int_equal(view_to_number(VIEW("0"), 0, &number), 0);
    assert_int_equal(number, 0);
    assert_int_equal(view_to_number(VIEW("0000000000000000000000000042"), 42, &number), 0);
    assert_int_equal(number, 42);
    assert_int_equal(view_to_number(VIEW("43"), 42, &number), -ERANGE);
    assert_int_equal(view_to_number(VIEW("7"), 5, &number), -ERANGE);
    assert_int_equal(view_to_number(VIEW("18446744073709551615"), UINT64_MAX, &number), 0);
    assert_true(number == UINT64_MAX);
    assert_int_equal(view_to_number(VIEW("18446744073709551616"), UINT64_MAX, &number), -ERANGE);
    assert_int_equal(view_to_number(VIEW("9223372036854775807"), INT64_MAX, &number), 0);
    assert_true(number == INT64_MAX);
    assert_int_equal(view_to_number(VIEW("9223372036854775808"), INT64_MAX, &number), -ERANGE);
    assert_true(number == INT64_MAX);
}

static void what_is_no_number_is_invalid_however_long(void **state)
{
    static const char *const texts[] = {"",   "+1",  "-1", " 1", "1 ",  "0x1",
                                        "1.", "1e3", "/",  ":",  "99x", "99999999999999999999999x"};
    uint64_t number = 77;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_int_equal(view_to_number(view_of(texts[i]), 42, &number), -EINVAL);
    assert_int_equal(view_to_number((struct view){"1\0", 2}, 42, &number), -EINVAL);
    assert_int_equal(number, 77);
}

/* Against 128-bit arithmetic, for limits around every place where a check could wrap. */
static void every_limit_is_kept_for_numbers_around_it(void **state)
{
    static const uint64_t limits[] = {
        0, 1, 5, 9, 10, 11, 99, 65535, INT64_MAX, UINT64_MAX - 7, UINT64_MAX - 1, UINT64_MAX};
    static const uint64_t wraps[] = {0, 1, 10, 1844674407370955161};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        for (size_t wrap = 0; wrap < ARRAY_SIZE(wraps); wrap++) {
            for (int off = -20; off <= 20; off++) {
                __int128 value = (__int128)limits[i] + off + ((__int128)wraps[wrap] << 64);
                char text[64];
                char *at = text + sizeof(text);
                uint64_t number = 77;
                int result;

                if (value < 0)
                    continue;
                for (__int128 left = value; at == text + sizeof(text) || left; left /= 10)
                    *--at = (char)('0' + (int)(left % 10));
                result = view_to_number(view_between(at, text + sizeof(text)), limits[i], &number);
                assert_int_equal(result, value > limits[i] ? -ERANGE : 0);
                assert_true(number == (result ? 77 : (uint64_t)value));
            }
        }
    }
}

static void text_is_copied_only_where_its_zero_fits_too(void **state)
{
    char text[4] = "???";

    (void)state;
    assert_int_equal(view_to_text(VIEW("abcd"), text, sizeof(text)), -ENAMETOOLONG);
    assert_string_equal(text, "???");
    assert_int_equal(view_to_text(VIEW("abc"), text, sizeof(text)), 0);
    assert_string_equal(text, "abc");
    assert_int_equal(view_to_text((struct view){0}, text, 1), 0);
    assert_string_equal(text, "");
    assert_int_equal(view_to_text((struct view){0}, text, 0), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_of_nothing_are_equal_and_may_be_cut),
        cmocka_unit_test(first_and_after_split_anywhere_and_never_beyond_the_end),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(trimming_takes_spaces_and_tabs_and_nothing_else),
        cmocka_unit_test(a_list_gives_its_elements_trimmed_and_without_the_empty_ones),
        cmocka_unit_test(numbers_up_to_the_limit_are_read_and_none_above),
        cmocka_unit_test(what_is_no_number_is_invalid_however_long),
        cmocka_unit_test(every_limit_is_kept_for_numbers_around_it),
        cmocka_unit_test(text_is_copied_only_where_its_zero_fits_too),
    };

    return cmocka_run_group_tests_name("base/view", tests, NULL, NULL);
}
