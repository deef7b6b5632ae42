#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <errno.h>

#include "base/attribute.h"
#include "load/load_url.h"

static struct error why;

static void a_url_has_a_host_a_port_and_a_target(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        const char *name;
        const char *target;
        unsigned port;
    } cases[] = {
        {"http://127.0.0.1:5000/home", "127.0.0.1:5000", "127.0.0.1", "/home", 5000},
        {"http://example.org", "example.org", "example.org", "/", 80},
        {"localhost:8080/a?b=c#d", "localhost:8080", "localhost", "/a?b=c", 8080},
        {"http://[::1]:5000/x/{key}", "[::1]:5000", "::1", "/x/{key}", 5000},
        {"http://[::1]/", "[::1]", "::1", "/", 80},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct load_url url;

        assert_int_equal(load_url_parse(cases[i].text, &url, &why), 0);
        assert_true(view_equals(url.host, view_of(cases[i].host)));
        assert_true(view_equals(url.name, view_of(cases[i].name)));
        assert_true(view_equals(url.target, view_of(cases[i].target)));
        assert_int_equal(url.port, cases[i].port);
    }
}

static void what_is_no_url_of_ours_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",           "http://",       "https://a/", "ftp://a/", "http://a:0/", "http://a:65536/",
        "http://a:/", "http://u:p@a/", "http://a?b", ":80/",     "http://[]:1/"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct load_url url;

        assert_int_equal(load_url_parse(wrong[i], &url, &why), -EINVAL);
    }
}

static void a_literal_needs_no_name_server(void **state)
{
    struct address address;
    struct load_url url;
    char text[ADDRESS_TEXT_BYTES];

    (void)state;
    assert_int_equal(load_url_parse("http://[::1]:81/", &url, &why), 0);
    assert_int_equal(load_url_resolve(&url, &address, &why), 0);
    address_to_text(&address, text);
    assert_string_equal(text, "[::1]:81");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_has_a_host_a_port_and_a_target),
        cmocka_unit_test(what_is_no_url_of_ours_is_refused),
        cmocka_unit_test(a_literal_needs_no_name_server),
    };

    return cmocka_run_group_tests_name("load/load_url", tests, NULL, NULL);
}
