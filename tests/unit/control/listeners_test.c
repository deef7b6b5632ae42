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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_worker_gets_a_socket_on_the_same_port),
        cmocka_unit_test(a_port_that_shares_with_others_is_still_taken),
        cmocka_unit_test(sockets_of_an_earlier_keeper_are_used_again),
    };

    return cmocka_run_group_tests_name("control/listeners", tests, NULL, NULL);
}
