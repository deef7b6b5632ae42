#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/limit.h"

#define SECOND_US UINT64_C(1000000)
#define START_US  (1000 * SECOND_US)

static struct address address_of(const char *ip)
{
    struct address address;

    assert_int_equal(address_from_ip(view_of(ip), 1234, &address), 0);
    return address;
}

static void start(struct limit *limit, uint32_t connections, uint32_t requests, uint32_t burst)
{
    const struct limit_rules rules = {connections, requests, burst};

    limit_init(limit);
    limit_set(limit, &rules);
}

static void an_address_has_as_many_connections_as_it_may(void **state)
{
    const struct address one = address_of("192.0.2.1");
    const struct address other = address_of("192.0.2.2");
    struct limit limit;

    (void)state;
    start(&limit, 2, 0, 0);
    assert_true(limit_connect(&limit, &one));
    assert_true(limit_connect(&limit, &one));
    assert_false(limit_connect(&limit, &one));
    assert_true(limit_connect(&limit, &other));
    limit_disconnect(&limit, &one);
    assert_true(limit_connect(&limit, &one));
    assert_false(limit_connect(&limit, &one));
    limit_finish(&limit);
}

static void nothing_is_limited_or_remembered_unless_it_is_said(void **state)
{
    const struct address one = address_of("192.0.2.1");
    struct limit limit;

    (void)state;
    start(&limit, 0, 0, 0);
    for (int i = 0; i < 1000; i++) {
        assert_true(limit_connect(&limit, &one));
        assert_true(limit_request(&limit, &one, START_US));
    }
    assert_int_equal(limit.pool.out, 0);
    limit_finish(&limit);
}

static void the_64_bits_of_a_network_count_as_one(void **state)
{
    const struct address one = address_of("2001:db8::1");
    const struct address same = address_of("2001:db8::ffff:1");
    const struct address other = address_of("2001:db8:0:1::1");
    struct limit limit;

    (void)state;
    start(&limit, 1, 0, 0);
    assert_true(limit_connect(&limit, &one));
    assert_false(limit_connect(&limit, &same));
    assert_true(limit_connect(&limit, &other));
    limit_finish(&limit);
}

static void an_address_mapped_into_ipv6_is_the_same(void **state)
{
    const struct address plain = address_of("192.0.2.1");
    const struct address mapped = address_of("::ffff:192.0.2.1");
    const struct address other = address_of("::ffff:192.0.2.2");
    struct limit limit;

    (void)state;
    start(&limit, 1, 0, 0);
    assert_true(limit_connect(&limit, &plain));
    assert_false(limit_connect(&limit, &mapped));
    assert_true(limit_connect(&limit, &other));
    limit_finish(&limit);
}

static void a_bucket_gives_its_burst_and_then_the_rate(void **state)
{
    const struct address one = address_of("192.0.2.1");
    const struct address other = address_of("192.0.2.2");
    struct limit limit;

    (void)state;
    start(&limit, 0, 10, 5);
    for (int i = 0; i < 5; i++)
        assert_true(limit_request(&limit, &one, START_US));
    assert_false(limit_request(&limit, &one, START_US));
    assert_true(limit_request(&limit, &other, START_US));
    assert_false(limit_request(&limit, &one, START_US + SECOND_US / 10 - 1));
    assert_true(limit_request(&limit, &one, START_US + SECOND_US / 10));
    assert_false(limit_request(&limit, &one, START_US + SECOND_US / 10));
    /* However long it waits, it is the burst again and no more. */
    for (int i = 0; i < 5; i++)
        assert_true(limit_request(&limit, &one, START_US + 100 * SECOND_US));
    assert_false(limit_request(&limit, &one, START_US + 100 * SECOND_US));
    limit_finish(&limit);
}

static void over_ten_seconds_the_rate_is_kept_exactly(void **state)
{
    const struct address one = address_of("192.0.2.1");
    struct limit limit;
    unsigned passed = 0;

    (void)state;
    start(&limit, 0, 100, 20);
    for (uint64_t at = 0; at < 10 * SECOND_US; at += 1000)
        passed += limit_request(&limit, &one, START_US + at);
    assert_in_range(passed, 20 + 998, 20 + 1000);
    limit_finish(&limit);
}

static void a_burst_that_is_not_said_is_one(void **state)
{
    const struct address one = address_of("192.0.2.1");
    struct limit limit;

    (void)state;
    start(&limit, 0, 1, 0);
    assert_true(limit_request(&limit, &one, START_US));
    assert_false(limit_request(&limit, &one, START_US));
    limit_finish(&limit);
}

static void new_rules_count_from_now_on(void **state)
{
    const struct limit_rules none = {0, 0, 0};
    const struct limit_rules three = {3, 0, 0};
    const struct address one = address_of("192.0.2.1");
    struct limit limit;

    (void)state;
    start(&limit, 1, 0, 0);
    assert_true(limit_connect(&limit, &one));
    limit_set(&limit, &three);
    assert_true(limit_connect(&limit, &one));
    limit_set(&limit, &none);
    assert_true(limit_connect(&limit, &one));
    /* What was counted is uncounted, what was not does no harm. */
    for (int i = 0; i < 4; i++)
        limit_disconnect(&limit, &one);
    limit_finish(&limit);
}

static void strangers_without_connections_are_bounded_and_the_oldest_goes(void **state)
{
    struct limit limit;
    char ip[32];

    (void)state;
    start(&limit, 0, 1, 1);
    for (unsigned i = 0; i < LIMIT_IDLE_MAX + 1000; i++) {
        struct address address;

        snprintf(ip, sizeof(ip), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        address = address_of(ip);
        assert_true(limit_request(&limit, &address, START_US));
        assert_false(limit_request(&limit, &address, START_US));
    }
    assert_int_equal(limit.pool.out, LIMIT_IDLE_MAX);
    assert_int_equal(limit.idle_count, LIMIT_IDLE_MAX);
    limit_finish(&limit);
}

static void who_has_a_connection_is_never_forgotten(void **state)
{
    const struct address one = address_of("192.0.2.1");
    struct limit limit;
    char ip[32];

    (void)state;
    start(&limit, 1, 1, 1);
    assert_true(limit_connect(&limit, &one));
    for (unsigned i = 0; i < LIMIT_IDLE_MAX + 10; i++) {
        struct address address;

        snprintf(ip, sizeof(ip), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        address = address_of(ip);
        assert_true(limit_request(&limit, &address, START_US));
    }
    assert_false(limit_connect(&limit, &one));
    limit_finish(&limit);
}

static void a_path_is_not_limited(void **state)
{
    const struct address path = {.un.sun_family = AF_UNIX, .size = sizeof(path.un)};
    struct limit limit;

    (void)state;
    start(&limit, 1, 1, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(limit_connect(&limit, &path));
        assert_true(limit_request(&limit, &path, START_US));
    }
    limit_disconnect(&limit, &path);
    limit_finish(&limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_as_many_connections_as_it_may),
        cmocka_unit_test(nothing_is_limited_or_remembered_unless_it_is_said),
        cmocka_unit_test(the_64_bits_of_a_network_count_as_one),
        cmocka_unit_test(an_address_mapped_into_ipv6_is_the_same),
        cmocka_unit_test(a_bucket_gives_its_burst_and_then_the_rate),
        cmocka_unit_test(over_ten_seconds_the_rate_is_kept_exactly),
        cmocka_unit_test(a_burst_that_is_not_said_is_one),
        cmocka_unit_test(new_rules_count_from_now_on),
        cmocka_unit_test(strangers_without_connections_are_bounded_and_the_oldest_goes),
        cmocka_unit_test(who_has_a_connection_is_never_forgotten),
        cmocka_unit_test(a_path_is_not_limited),
    };

    return cmocka_run_group_tests_name("proxy/limit", tests, NULL, NULL);
}
