#include "http/h1_class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

static bool is_in(int byte, const char *set)
{
    return byte && strchr(set, byte);
}

/* Each class against the grammar's own words, for all 256 bytes. */
static void the_table_is_the_grammar(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool is_letter = is_in(byte, LETTERS DIGITS);
        bool is_visible = byte > 0x20 && byte < 0x7f;
        bool is_blank = byte == ' ' || byte == '\t';
        bool is_obs = byte >= 0x80;
        char c = (char)byte;

        /* RFC 9110 5.6.2 */
        assert_int_equal(h1_class_is(c, H1_CLASS_TOKEN),
                         is_letter || is_in(byte, "!#$%&'*+-.^_`|~"));
        /* RFC 9110 5.5 */
        assert_int_equal(h1_class_is(c, H1_CLASS_VALUE), is_visible || is_blank || is_obs);
        assert_int_equal(h1_class_is(c, H1_CLASS_TARGET), is_visible && byte != '#');
        /* RFC 3986 2.2 and 2.3 */
        assert_int_equal(h1_class_is(c, H1_CLASS_HOST),
                         is_letter || is_in(byte, "-._~!$&'()*+,;="));
        assert_int_equal(h1_class_is(c, H1_CLASS_DIGIT), is_in(byte, DIGITS));
        assert_int_equal(h1_class_is(c, H1_CLASS_HEX), is_in(byte, DIGITS "abcdefABCDEF"));
        /* RFC 9110 5.6.4 */
        assert_int_equal(h1_class_is(c, H1_CLASS_QUOTED),
                         is_blank || (is_visible && byte != '"' && byte != '\\') || is_obs);
        assert_int_equal(h1_class_is(c, H1_CLASS_BLANK), is_blank);
    }
}

static void hexadecimal_digits_have_their_value(void **state)
{
    static const char small[] = "0123456789abcdef", large[] = "0123456789ABCDEF";

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(h1_class_hex_value(small[i]), i);
        assert_int_equal(h1_class_hex_value(large[i]), i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_grammar),
        cmocka_unit_test(hexadecimal_digits_have_their_value),
    };

    return cmocka_run_group_tests_name("http/h1_class", tests, NULL, NULL);
}
