#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proxy/key.h"

#define DRAWS 1000

static void drawn_keys_have_every_hexadecimal_digit_everywhere(void **state)
{
    static const char digits[] = "0123456789abcdef";
    static struct table table;
    static struct table_service service = {.key_count = 1, .keys = {{.kind = TABLE_KEY_RANDOM}}};
    static char drawn[DRAWS][KEY_DRAWN_BYTES];
    unsigned seen[KEY_DRAWN_BYTES] = {0}; /* a bit for each digit */

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        struct key key;

        key_find(&table, &service, &(struct head){0}, VIEW("192.0.2.1"), &key);
        assert_true(key.is_drawn);
        assert_int_equal(key.text.size, KEY_DRAWN_BYTES);
        for (int at = 0; at < KEY_DRAWN_BYTES; at++) {
            const char *digit = memchr(digits, key.text.data[at], 16);

            assert_non_null(digit);
            seen[at] |= 1u << (digit - digits);
        }
        memcpy(drawn[i], key.text.data, KEY_DRAWN_BYTES);
        for (int before = 0; before < i; before++)
            assert_memory_not_equal(drawn[before], drawn[i], KEY_DRAWN_BYTES);
    }
    for (int at = 0; at < KEY_DRAWN_BYTES; at++)
        assert_int_equal(seen[at], 0xffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawn_keys_have_every_hexadecimal_digit_everywhere),
    };

    return cmocka_run_group_tests_name("proxy/key", tests, NULL, NULL);
}
