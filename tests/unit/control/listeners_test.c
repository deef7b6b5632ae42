#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/listeners.h"

#include <errno.h>
#include <unistd.h>

#include "net/listener.h"

static struct address loopback(uint16_t port)
{
    struct address address;

    assert_int_equal(0, address_from_text(VIEW("127.0.0.1:0"), &address, NULL));
    address_set_port(&address, port);
    return address;
}

static void every_worker_gets_a_socket_on_the_same_port(void **state)
{
    struct listeners listeners;
    struct address address = loopback(0);
    struct error why;
    uint16_t port;

    (void)state;
    listeners_init(&listeners);
    assert_int_equal(0, listeners_add(&listeners, &address, &why));
    port = address_port(&listeners.all[0].address);
    assert_true(port > 0);
    assert_int_equal(0, listeners_fill(&listeners, 3, &why));
    assert_int_equal(3, listeners.all[0].count);
    for (unsigned i = 0; i < 3; i++) {
        struct address bound = {.size = sizeof(bound.un)};

        assert_int_equal(0, getsockname(listeners.all[0].sockets[i], &bound.any, &bound.size));
        assert_int_equal(port, address_port(&bound));
    }
    listeners_finish(&listeners);
}

static void a_port_that_shares_with_others_is_still_taken(void **state)
{
    struct listeners listeners;
    struct address address = loopback(0);
    struct error why;
    int other = listener_open(&address, true, &why);

    (void)state;
    assert_true(other >= 0);
    listeners_init(&listeners);
    assert_int_equal(-EADDRINUSE, listeners_add(&listeners, &address, &why));
    assert_int_equal(0, listeners.count);
    close(other);
    listeners_finish(&listeners);
}

static void sockets_of_an_earlier_keeper_are_used_again(void **state)
{
    struct listeners listeners;
    struct address address = loopback(0);
    struct address stranger = loopback(0);
    struct error why;
    int ours = listener_open(&address, true, &why);
    int other = listener_open(&stranger, true, &why);

    (void)state;
    listeners_init(&listeners);
    assert_int_equal(0, listeners_add_taken(&listeners, &address));
    assert_int_equal(0, listeners_take(&listeners, ours));
    assert_int_equal(-ENOENT, listeners_take(&listeners, other));
    assert_int_equal(0, listeners_fill(&listeners, 2, &why));
    assert_int_equal(2, listeners.all[0].count);
    assert_int_equal(ours, listeners.all[0].sockets[0]);
    close(other);
    listeners_finish(&listeners);
}

static void the_number_of_an_address_that_is_forgotten_goes_to_the_next_one(void **state)
{
    struct listeners listeners;
    struct address addresses[3] = {loopback(0), loopback(0), loopback(0)};
    struct error why;

    (void)state;
    listeners_init(&listeners);
    assert_int_equal(0, listeners_add(&listeners, &addresses[0], &why));
    assert_int_equal(1, listeners_add(&listeners, &addresses[1], &why));
    assert_int_equal(0, listeners_fill(&listeners, 2, &why));
    listeners_forget(&listeners.all[0]);
    assert_false(listeners_is_open(&listeners.all[0]));
    assert_true(listeners_is_open(&listeners.all[1]));
    assert_int_equal(0, listeners_add(&listeners, &addresses[2], &why));
    assert_int_equal(2, listeners.count);
    listeners_finish(&listeners);
}

static void an_address_that_leaves_is_not_found_and_not_filled(void **state)
{
    struct listeners listeners;
    struct address address = loopback(0);
    struct address found;
    struct error why;

    (void)state;
    listeners_init(&listeners);
    assert_int_equal(0, listeners_add(&listeners, &address, &why));
    found = listeners.all[0].address;
    assert_int_equal(0, listeners_fill(&listeners, 1, &why));
    assert_int_equal(0, listeners_find(&listeners, &found));
    listeners.all[0].is_leaving = true;
    assert_int_equal(-ENOENT, listeners_find(&listeners, &found));
    assert_int_equal(0, listeners_fill(&listeners, 3, &why));
    assert_int_equal(1, listeners.all[0].count);
    listeners_close(&listeners.all[0], 0);
    assert_int_equal(0, listeners.all[0].count);
    listeners_finish(&listeners);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_worker_gets_a_socket_on_the_same_port),
        cmocka_unit_test(a_port_that_shares_with_others_is_still_taken),
        cmocka_unit_test(sockets_of_an_earlier_keeper_are_used_again),
        cmocka_unit_test(the_number_of_an_address_that_is_forgotten_goes_to_the_next_one),
        cmocka_unit_test(an_address_that_leaves_is_not_found_and_not_filled),
    };

    return cmocka_run_group_tests_name("control/listeners", tests, NULL, NULL);
}
