#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "proxy/limit.h"

#define SECOND_US UINT64_C(1000000)
#define START_US  (1000 * SECOND_US)

static struct address address_of(const char *ip)
{
    struct address address;

    assert_int_equal(address_from_ip(view_of(ip), 1234, &address), 0);
    return address;
}

/* As many workers as a test needs count in one segment. */
static void start_worker(struct limit *limit, struct guest_segment *guests, uint32_t connections,
                         uint32_t requests, uint32_t burst)
{
    const struct limit_rules rules = {connections, requests, burst};

    limit_init(limit, guests, memory_allocate(GUESTS_MAX * sizeof(*limit->held)));
    limit_set(limit, &rules);
}

static void start(struct limit *limit, uint32_t connections, uint32_t requests, uint32_t burst)
{
    struct guest_segment *guests;
    struct error why;
    int fd;

    assert_int_equal(guests_create(&fd, &guests, &why), 0);
    close(fd);
    start_worker(limit, guests, connections, requests, burst);
}

static void stop(struct limit *limit)
{
    guests_unmap(limit->guests);
    free((void *)limit->held);
}

static bool is_let_in(struct limit *limit, const struct address *address)
{
    return limit_connect(limit, address) != LIMIT_TOO_MANY;
}

static void an_address_has_as_many_connections_as_it_may(void **state)
{
    const struct address one = address_of("192.0.2.1");
    const struct address other = address_of("192.0.2.2");
    struct limit limit;

    (void)state;
    start(&limit, 2, 0, 0);
    assert_true(is_let_in(&limit, &one));
    assert_true(is_let_in(&limit, &one));
    assert_false(is_let_in(&limit, &one));
    assert_true(is_let_in(&limit, &other));
    limit_disconnect(&limit, &one);
    assert_true(is_let_in(&limit, &one));
    assert_false(is_let_in(&limit, &one));
    stop(&limit);
}

static void nothing_is_limited_or_remembered_unless_it_is_said(void **state)
{
    const struct address one = address_of("192.0.2.1");
    struct limit limit;

    (void)state;
    start(&limit, 0, 0, 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(limit_connect(&limit, &one), LIMIT_NOT_COUNTED);
        assert_true(limit_request(&limit, &one, START_US));
    }
    for (uint32_t place = 0; place < GUESTS_MAX; place++)
        assert_int_equal(atomic_load(&limit.guests->words[place]), 0);
    stop(&limit);
}

static void the_64_bits_of_a_network_count_as_one(void **state)
{
    const struct address one = address_of("2001:db8::1");
    const struct address same = address_of("2001:db8::ffff:1");
    const struct address other = address_of("2001:db8:0:1::1");
    struct limit limit;

    (void)state;
    start(&limit, 1, 0, 0);
    assert_true(is_let_in(&limit, &one));
    assert_false(is_let_in(&limit, &same));
    assert_true(is_let_in(&limit, &other));
    stop(&limit);
}

static void an_address_mapped_into_ipv6_is_the_same(void **state)
{
    const struct address plain = address_of("192.0.2.1");
    const struct address mapped = address_of("::ffff:192.0.2.1");
    const struct address other = address_of("::ffff:192.0.2.2");
    struct limit limit;

    (void)state;
    start(&limit, 1, 0, 0);
    assert_true(is_let_in(&limit, &plain));
    assert_false(is_let_in(&limit, &mapped));
    assert_true(is_let_in(&limit, &other));
    stop(&limit);
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
    stop(&limit);
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
    stop(&limit);
}

static void a_burst_that_is_not_said_is_one(void **state)
{
    const struct address one = address_of("192.0.2.1");
    struct limit limit;

    (void)state;
    start(&limit, 0, 1, 0);
    assert_true(limit_request(&limit, &one, START_US));
    assert_false(limit_request(&limit, &one, START_US));
    stop(&limit);
}

static void new_rules_count_from_now_on(void **state)
{
    const struct limit_rules none = {0, 0, 0};
    const struct limit_rules three = {3, 0, 0};
    const struct address one = address_of("192.0.2.1");
    struct limit limit;

    (void)state;
    start(&limit, 1, 0, 0);
    assert_true(is_let_in(&limit, &one));
    limit_set(&limit, &three);
    assert_true(is_let_in(&limit, &one));
    limit_set(&limit, &none);
    assert_true(is_let_in(&limit, &one));
    /* What was counted is uncounted, what was not does no harm. */
    for (int i = 0; i < 4; i++)
        limit_disconnect(&limit, &one);
    stop(&limit);
}

static void who_has_a_connection_is_never_forgotten(void **state)
{
    const struct address one = address_of("192.0.2.1");
    struct address other = one;
    struct limit limit;

    (void)state;
    start(&limit, 1, 1, 1);
    assert_int_equal(limit_connect(&limit, &one), LIMIT_COUNTED);
    for (uint32_t i = 0; i < 2 * GUESTS_MAX; i++) {
        other.in.sin_addr.s_addr = i;
        (void)!limit_request(&limit, &other, START_US);
    }
    assert_false(is_let_in(&limit, &one));
    stop(&limit);
}

static void workers_count_together(void **state)
{
    const struct address one = address_of("192.0.2.1");
    struct limit first;
    struct limit second;

    (void)state;
    start(&first, 3, 10, 5);
    start_worker(&second, first.guests, 3, 10, 5);
    assert_true(is_let_in(&first, &one));
    assert_true(is_let_in(&second, &one));
    assert_true(is_let_in(&second, &one));
    assert_false(is_let_in(&first, &one));
    assert_false(is_let_in(&second, &one));
    limit_disconnect(&second, &one);
    assert_true(is_let_in(&first, &one));
    for (int i = 0; i < 5; i++)
        assert_true(limit_request(i % 2 ? &first : &second, &one, START_US));
    assert_false(limit_request(&first, &one, START_US));
    assert_false(limit_request(&second, &one, START_US));
    free((void *)second.held);
    stop(&first);
}

static void what_a_worker_held_when_it_died_is_free_again(void **state)
{
    const struct address one = address_of("192.0.2.1");
    struct limit first;
    struct limit second;

    (void)state;
    start(&first, 3, 0, 0);
    start_worker(&second, first.guests, 3, 0, 0);
    assert_true(is_let_in(&first, &one));
    assert_true(is_let_in(&second, &one));
    assert_true(is_let_in(&second, &one));
    assert_false(is_let_in(&first, &one));
    guests_give_back(first.guests, second.held);
    assert_true(is_let_in(&first, &one));
    assert_true(is_let_in(&first, &one));
    assert_false(is_let_in(&first, &one));
    for (int i = 0; i < 3; i++)
        limit_disconnect(&first, &one);
    /* Nobody pins the place: another may have it. */
    assert_int_equal(atomic_load(&first.guests->words[0]) & 0xff, 0);
    free((void *)second.held);
    stop(&first);
}

static void a_path_is_not_limited(void **state)
{
    const struct address path = {.un.sun_family = AF_UNIX, .size = sizeof(path.un)};
    struct limit limit;

    (void)state;
    start(&limit, 1, 1, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(is_let_in(&limit, &path));
        assert_true(limit_request(&limit, &path, START_US));
    }
    limit_disconnect(&limit, &path);
    stop(&limit);
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
        cmocka_unit_test(who_has_a_connection_is_never_forgotten),
        cmocka_unit_test(workers_count_together),
        cmocka_unit_test(what_a_worker_held_when_it_died_is_free_again),
        cmocka_unit_test(a_path_is_not_limited),
    };

    return cmocka_run_group_tests_name("proxy/limit", tests, NULL, NULL);
}
