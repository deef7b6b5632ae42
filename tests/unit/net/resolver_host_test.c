#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/resolver_host.h"

#include <errno.h>
#include <string.h>

static void a_place_is_a_name_and_a_port(void **state)
{
    static const char *const good[] = {
        "a:1",           "app.internal:9001", "_x._tcp.a-b.test:80",
        "app.test.:443", "1.a:65535",         "xn--bcher-kva.example:80"};
    static const char *const bad[] = {
        "",         ":80",          "a",        "a:",      "a:0",         "a:65536", "a:b",
        "a b:80",   "a..b:80",      ".a:80",    "-a.b:80", "a-.b:80",     "a/b:80",  "*.a:80",
        "1.2.3:80", "10.0.0.1:80",  "[::1]:80", "::1:80",  "1.2.3.4.5:1", ".:80",    "a.:",
        "a:80:90",  "b\xc3\xbc:80", "a.1:80",
    };
    char host[RESOLVER_HOST_BYTES] = "before";
    uint16_t port = 7;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(-EINVAL, resolver_host_from_text(view_of(bad[i]), host, &port));
    assert_string_equal("before", host);
    assert_int_equal(7, port);
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_int_equal(0, resolver_host_from_text(view_of(good[i]), host, &port));
    assert_int_equal(0, resolver_host_from_text(VIEW("app.internal:9001"), host, &port));
    assert_string_equal("app.internal", host);
    assert_int_equal(9001, port);
}

static void a_name_has_at_most_253_bytes_and_a_label_63(void **state)
{
    char text[300];
    char host[RESOLVER_HOST_BYTES];
    uint16_t port;

    (void)state;
    for (unsigned size = 250; size < 260; size++) {
        for (unsigned i = 0; i < size; i++)
            text[i] = i % 2 ? '.' : 'a';
        text[size - 1] = 'a';
        memcpy(text + size, ":80", 4);
        assert_int_equal(size <= 253 ? 0 : -EINVAL,
                         resolver_host_from_text(view_of(text), host, &port));
    }
    for (unsigned size = 60; size < 70; size++) {
        memset(text, 'a', size);
        memcpy(text + size, ".b:80", 6);
        assert_int_equal(size <= 63 ? 0 : -EINVAL,
                         resolver_host_from_text(view_of(text), host, &port));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_a_name_and_a_port),
        cmocka_unit_test(a_name_has_at_most_253_bytes_and_a_label_63),
    };

    return cmocka_run_group_tests_name("net/resolver_host", tests, NULL, NULL);
}
