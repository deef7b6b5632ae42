#include "http/authority.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3986 3.2.2 and 3.2.3. */
static void good_authorities_are_taken_apart(void **state)
{
    static const char *const cases[][3] = {
        {"a", "a", ""},
        {"example.org:80", "example.org", "80"},
        {"a:", "a", ""},
        {"a:0", "a", "0"},
        {"a:65535", "a", "65535"},
        {"a:000080", "a", "000080"},
        {"127.0.0.1:1", "127.0.0.1", "1"},
        {"999.1", "999.1", ""},
        {"-._~!$&'()*+,;=", "-._~!$&'()*+,;=", ""},
        {"a%2fb%AF", "a%2fb%AF", ""},
        {"[::]", "[::]", ""},
        {"[::1]:443", "[::1]", "443"},
        {"[2001:DB8::a:1]", "[2001:DB8::a:1]", ""},
        {"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", ""},
        {"[::ffff:1.2.3.4]:", "[::ffff:1.2.3.4]", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct view host, port;

        if (!authority_split(view_of(cases[i][0]), &host, &port))
            fail_msg("%s", cases[i][0]);
        assert_true(view_equals(host, view_of(cases[i][1])));
        assert_true(view_equals(port, view_of(cases[i][2])));
    }
}

static void bad_authorities_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        ":",
        ":80",
        "a b",
        "a\tb",
        "u@a",
        "a/",
        "a?",
        "a#",
        "a\\b",
        "\"a\"",
        "a<",
        "a^",
        "a`",
        "a{",
        "a|",
        "a%",
        "a%2",
        "a%2x",
        "a%x2",
        "a:b",
        "a:-1",
        "a:+1",
        "a: 1",
        "a:65536",
        "a:99999999",
        "a:1:2",
        "::1",
        "1::2",
        "[",
        "]",
        "[]",
        "[]:80",
        "[::1",
        "::1]",
        "[::1]a",
        "[::1]80",
        "[::1]:x",
        "[:::]",
        "[1:2]",
        "[g::]",
        "[::1%eth0]",
        "[::1%25eth0]",
        "[1.2.3.4]",
        "[a]",
        "[v1.a]",
        "[12345::]",
        "a[::1]",
        "[::1::2]",
        "[1:2:3:4:5:6:7:8:9]",
        "[::1.2.3]",
        "[::01.2.3.4]",
        "\x80",
        "[0000000000000000000000000000000000000000000000000000000000::]",
    };
    static const struct view zeros[] = {VIEW("a\0"), VIEW("[::1\0]"), VIEW("\0"), VIEW("a:\0")};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (authority_is_valid(view_of(cases[i])))
            fail_msg("%s", cases[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
        assert_false(authority_is_valid(zeros[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_authorities_are_taken_apart),
        cmocka_unit_test(bad_authorities_are_refused),
    };

    return cmocka_run_group_tests_name("http/authority", tests, NULL, NULL);
}
