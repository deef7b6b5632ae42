#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/escape.h"
#include "base/random.h"

#define NO_TEXT "\xef\xbf\xbd"

static void assert_escaped(struct view text, const char *expected)
{
    char out[256];
    size_t size = escape_json(text, out, sizeof(out));
    struct buffer buffer;

    assert_int_equal(size, strlen(expected));
    assert_memory_equal(out, expected, size);
    buffer_init(&buffer, 256);
    assert_int_equal(escape_json_append(text, &buffer), 0);
    assert_true(view_equals(buffer_view(&buffer), view_of(expected)));
    buffer_finish(&buffer);
}

static void quotes_backslashes_and_control_bytes_are_escaped(void **state)
{
    (void)state;
    assert_escaped(VIEW("a\"b\\c"), "a\\\"b\\\\c");
    assert_escaped(VIEW("\n\r\t"), "\\n\\r\\t");
    assert_escaped((struct view){"\0\x01\x1f\x7f", 4}, "\\u0000\\u0001\\u001f\\u007f");
    assert_escaped((struct view){0}, "");
}

static void well_formed_text_passes_unchanged(void **state)
{
    static const char text[] = "a \xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 "
                               "\xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf";

    (void)state;
    assert_escaped(view_of(text), text);
}

static void each_byte_that_is_no_text_is_replaced(void **state)
{
    (void)state;
    assert_escaped(VIEW("\x80"), NO_TEXT);
    assert_escaped(VIEW("\xc0\xaf"), NO_TEXT NO_TEXT);             /* overlong */
    assert_escaped(VIEW("\xe0\x9f\xbf"), NO_TEXT NO_TEXT NO_TEXT); /* overlong */
    assert_escaped(VIEW("\xed\xa0\x80"), NO_TEXT NO_TEXT NO_TEXT); /* a surrogate */
    assert_escaped(VIEW("\xf0\x8f\xbf\xbf"), NO_TEXT NO_TEXT NO_TEXT NO_TEXT);
    assert_escaped(VIEW("\xf4\x90\x80\x80"), NO_TEXT NO_TEXT NO_TEXT NO_TEXT);
    assert_escaped(VIEW("\xff\xfe"), NO_TEXT NO_TEXT);
}

static void a_sequence_cut_by_the_end_or_by_another_byte_is_replaced(void **state)
{
    (void)state;
    assert_escaped(VIEW("\xc3"), NO_TEXT);
    assert_escaped(VIEW("a\xe2\x82"), "a" NO_TEXT NO_TEXT);
    assert_escaped(VIEW("\xf0\x9f\x98"), NO_TEXT NO_TEXT NO_TEXT);
    assert_escaped(VIEW("\xe2\x82\"x"), NO_TEXT NO_TEXT "\\\"x");
    assert_escaped(VIEW("\xc3\xc3\xa9"), NO_TEXT "\xc3\xa9");
}

static void what_does_not_fit_whole_is_left_off(void **state)
{
    char out[16];

    (void)state;
    assert_int_equal(escape_json(VIEW("ab\x01"), out, 7), 2);
    assert_int_equal(escape_json(VIEW("ab\x01"), out, 8), 8);
    assert_int_equal(escape_json(VIEW("a\xc3\xa9"), out, 2), 1);
    assert_int_equal(escape_json(VIEW("a"), out, 0), 0);
}

static void a_buffer_that_is_too_small_stays_as_it_was(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 10);
    assert_int_equal(buffer_append(&buffer, VIEW("xyz")), 0);
    buffer_consume(&buffer, 1);
    assert_int_equal(escape_json_append(VIEW("aaa\x01"), &buffer), -ENOBUFS);
    assert_true(view_equals(buffer_view(&buffer), VIEW("yz")));
    assert_int_equal(escape_json_append(VIEW("aa\x01"), &buffer), 0);
    assert_true(view_equals(buffer_view(&buffer), VIEW("yzaa\\u0001")));
    buffer_finish(&buffer);
}

/* Printable, within the promised growth, and the same through both doors. */
static void random_bytes_never_break_the_text_around_them(void **state)
{
    (void)state;
    random_seed(2);
    for (int round = 0; round < 20000; round++) {
        char in[12];
        char out[sizeof(in) * ESCAPE_GROWTH_MAX];
        size_t size = random_below(sizeof(in) + 1);
        size_t written;
        struct buffer buffer;

        for (size_t i = 0; i < size; i++)
            in[i] = (char)random_next();
        written = escape_json((struct view){in, size}, out, sizeof(out));
        for (size_t i = 0; i < written; i++) {
            assert_true((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
            if (out[i] == '\\')
                i++;
            else
                assert_int_not_equal(out[i], '"');
            assert_true(i < written);
        }
        buffer_init(&buffer, written);
        assert_int_equal(escape_json_append((struct view){in, size}, &buffer), 0);
        assert_true(view_equals(buffer_view(&buffer), (struct view){out, written}));
        buffer_finish(&buffer);
    }
}

static void a_hexadecimal_digit_has_a_value_and_nothing_else_has(void **state)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    unsigned found = 0;

    (void)state;
    for (int i = 0; digits[i]; i++)
        assert_int_equal(escape_hex_value(digits[i]), i < 16 ? i : i - 6);
    for (int byte = -128; byte < 128; byte++)
        found += escape_hex_value((char)byte) >= 0;
    assert_int_equal(found, sizeof(digits) - 1);
}

static void a_field_of_csv_is_quoted_only_where_it_has_to_be(void **state)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"web 1", "web 1"},
                                           {"a,b", "\"a,b\""},
                                           {"say \"a\"", "\"say \"\"a\"\"\""},
                                           {"two\nlines", "\"two\nlines\""}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[64] = "";
        FILE *out = fmemopen(text, sizeof(text), "w");

        assert_non_null(out);
        escape_print_csv(out, cases[i][0]);
        fclose(out);
        assert_string_equal(text, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_backslashes_and_control_bytes_are_escaped),
        cmocka_unit_test(well_formed_text_passes_unchanged),
        cmocka_unit_test(each_byte_that_is_no_text_is_replaced),
        cmocka_unit_test(a_sequence_cut_by_the_end_or_by_another_byte_is_replaced),
        cmocka_unit_test(what_does_not_fit_whole_is_left_off),
        cmocka_unit_test(a_buffer_that_is_too_small_stays_as_it_was),
        cmocka_unit_test(random_bytes_never_break_the_text_around_them),
        cmocka_unit_test(a_hexadecimal_digit_has_a_value_and_nothing_else_has),
        cmocka_unit_test(a_field_of_csv_is_quoted_only_where_it_has_to_be),
    };

    return cmocka_run_group_tests_name("base/escape", tests, NULL, NULL);
}
