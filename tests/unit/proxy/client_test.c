#include "parsed.h"

#include <stdio.h>

#include "proxy/client.h"

/* What client_of() makes of a connection from `peer` whose request has these fields. */
static void assert_client(const char *peer, const char *fields, const char *expected,
                          bool is_trusted)
{
    struct table_service_spec service = {.name = "web"};
    const struct table_listener listener = {.services = {1}, .is_loopback = 1};
    struct table_settings settings = {.trusted_count = 2};
    struct inbound inbound = {.listener = 0};
    const struct table *table;
    struct exchange_client client;
    struct parsed parsed;
    struct error why;
    char text[1024];

    assert_int_equal(address_range_from_text(VIEW("10.0.0.0/8"), &settings.trusted[0], &why), 0);
    assert_int_equal(address_range_from_text(VIEW("fd00::/16"), &settings.trusted[1], &why), 0);
    table = parsed_table(&service, 1, &listener, 1, &settings);
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    parsed_read(&parsed, text);
    snprintf(inbound.client_ip, sizeof(inbound.client_ip), "%s", peer);
    client = client_of(&inbound, &parsed.head, table);
    assert_int_equal(client.is_trusted, is_trusted);
    assert_true(client.is_loopback);
    assert_true(view_equals(client.peer, view_of(peer)));
    if (!view_equals(client.ip, view_of(expected)))
        fail_msg("expected %s, got %.*s for %s", expected, VIEW_ARGUMENTS(client.ip), fields);
    table_unmap(table);
}

static void the_client_is_the_nearest_that_is_not_trusted(void **state)
{
    static const struct {
        const char *peer;
        const char *fields;
        const char *client;
        bool is_trusted;
    } cases[] = {
        /* Who is not trusted may say what it likes. */
        {"9.9.9.9", "X-Forwarded-For: 1.1.1.1\r\n", "9.9.9.9", false},
        {"10.0.0.1", "", "10.0.0.1", true},
        {"10.0.0.1", "X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1", true},
        {"10.0.0.1", "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\n", "2.2.2.2", true},
        {"10.0.0.1", "X-Forwarded-For: 1.1.1.1 ,\t10.0.0.2\r\n", "1.1.1.1", true},
        {"10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3", true},
        {"fd00::1", "X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1", true},
        /* A line that a client sent stands before the one its proxy added. */
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1", true},
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX: y\r\nX-Forwarded-For: 10.0.0.2\r\n", "6.6.6.6",
         true},
        /* What is no address says nothing, nor does what stands before it. */
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6, unknown\r\n", "10.0.0.1", true},
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6, unknown, 1.1.1.1\r\n", "1.1.1.1", true},
        {"10.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: unknown, 10.0.0.2\r\n",
         "10.0.0.2", true},
        {"10.0.0.1", "X-Forwarded-For: \r\n", "10.0.0.1", true},
        /* One that Connection names is not for others, and not for us as a proxy. */
        {"10.0.0.1", "Connection: x-forwarded-for\r\nX-Forwarded-For: 6.6.6.6\r\n", "10.0.0.1",
         true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_client(cases[i].peer, cases[i].fields, cases[i].client, cases[i].is_trusted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_is_the_nearest_that_is_not_trusted),
    };

    return cmocka_run_group_tests_name("proxy/client", tests, NULL, NULL);
}
