#include "parsed.h"

#include <stdio.h>

#include "proxy/route.h"

static struct table_service_spec services[] = {
    {.name = "api", .host = "example.org", .path = "/api"},
    {.name = "slashed", .path = "/files/"},
    {.name = "wild", .host = "*.example.net"},
    {.name = "host", .host = "example.org"},
    {.name = "rest"},
};

/* The first listener reaches all of them, the second only the first. */
static const struct table_listener listeners[] = {{.services = {31}}, {.services = {1}}};

static const struct table *make(enum table_compat compat)
{
    const struct table_settings settings = {.compat = compat};

    return parsed_table(services, ARRAY_SIZE(services), listeners, ARRAY_SIZE(listeners),
                        &settings);
}

static struct route route_of(const struct table *table, const char *host, const char *target,
                             unsigned listener)
{
    struct parsed parsed;
    char text[512];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host);
    parsed_read(&parsed, text);
    return route_find(table, &parsed.head, listener);
}

static void the_first_service_that_matches_host_and_path_gets_the_request(void **state)
{
    static const struct {
        const char *host;
        const char *target;
        unsigned service;
    } cases[] = {
        {"example.org", "/api", 0},
        {"EXAMPLE.org:8080", "/api/x?y", 0},
        {"example.org", "/api?x", 0},
        {"example.org", "/apis", 3},
        {"example.org", "/API", 3},
        {"example.com", "/api", 4},
        {"x", "/files/a", 1},
        {"x", "/files/", 1},
        {"x", "/files", 4},
        {"a.example.net", "/", 2},
        {"A.b.Example.NET:1", "/", 2},
        {"example.net", "/", 4},
        {"aexample.net", "/", 4},
        {"[::1]:5000", "/", 4},
    };
    const struct table *table = make(TABLE_COMPAT_OFF);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct route route = route_of(table, cases[i].host, cases[i].target, 0);

        assert_int_equal(route.kind, ROUTE_SERVICE);
        assert_int_equal(route.service, cases[i].service);
    }
    table_unmap(table);
}

static void a_listener_reaches_its_own_services_only(void **state)
{
    const struct table *table = make(TABLE_COMPAT_OFF);

    (void)state;
    assert_int_equal(route_of(table, "example.org", "/api", 1).kind, ROUTE_SERVICE);
    assert_int_equal(route_of(table, "example.org", "/", 1).kind, ROUTE_NONE);
    assert_int_equal(route_of(table, "example.org", "/api", 2).kind, ROUTE_NONE);
    table_unmap(table);
}

static void the_classic_calls_are_there_under_compat_only(void **state)
{
    static const char *const calls[] = {"/rep", "/add", "/rm", "/stats", "/rep?x=y"};

    (void)state;
    for (int compat = TABLE_COMPAT_OFF; compat <= TABLE_COMPAT_ASSIGNMENT; compat++) {
        const struct table *table = make((enum table_compat)compat);
        bool is_on = compat != TABLE_COMPAT_OFF;

        for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
            assert_int_equal(route_of(table, "x", calls[i], 0).kind,
                             is_on ? ROUTE_LINK : ROUTE_SERVICE);
        assert_int_equal(route_of(table, "x", "/healthcheck", 0).kind,
                         is_on ? ROUTE_HEALTH : ROUTE_SERVICE);
        assert_int_equal(route_of(table, "x", "/rep/", 0).kind, ROUTE_SERVICE);
        assert_int_equal(route_of(table, "x", "/reports", 0).kind, ROUTE_SERVICE);
        table_unmap(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_service_that_matches_host_and_path_gets_the_request),
        cmocka_unit_test(a_listener_reaches_its_own_services_only),
        cmocka_unit_test(the_classic_calls_are_there_under_compat_only),
    };

    return cmocka_run_group_tests_name("proxy/route", tests, NULL, NULL);
}
