#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Somebody listens there. Returns the descriptor. */
static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(0, bind(fd, (struct sockaddr *)&address, sizeof(address)));
    assert_int_equal(0, listen(fd, 1));
    return fd;
}

static void a_replica_keeps_its_port(void **state)
{
    struct ports ports;
    int port;

    (void)state;
    ports_init(&ports);
    port = ports_choose(&ports, 1, 0);
    assert_true(port > 0);
    assert_int_equal(port, ports_choose(&ports, 1, (uint16_t)port));
    ports_finish(&ports);
}

static void a_port_that_somebody_took_is_exchanged(void **state)
{
    struct ports ports;
    int port;
    int other;
    int fd;

    (void)state;
    ports_init(&ports);
    port = ports_choose(&ports, 1, 0);
    assert_true(port > 0);
    fd = listen_on((uint16_t)port);
    other = ports_choose(&ports, 1, (uint16_t)port);
    assert_true(other > 0);
    assert_int_not_equal(port, other);
    close(fd);
    ports_finish(&ports);
}

static void two_replicas_never_have_one_port(void **state)
{
    struct ports ports;
    int port;

    (void)state;
    ports_init(&ports);
    port = ports_choose(&ports, 1, 0);
    assert_true(port > 0);
    assert_int_not_equal(port, ports_choose(&ports, 2, (uint16_t)port));
    ports_finish(&ports);
}

static void a_port_waits_until_every_worker_left_the_last_table_that_had_it(void **state)
{
    struct ports ports;
    int port;

    (void)state;
    ports_init(&ports);
    ports_published(&ports, 7);
    ports_adopted(&ports, 6);
    port = ports_choose(&ports, 1, 0);
    assert_true(port > 0);
    ports_release(&ports, 1, 0);
    assert_int_not_equal(port, ports_choose(&ports, 2, (uint16_t)port));
    ports_adopted(&ports, 6);
    assert_int_not_equal(port, ports_choose(&ports, 3, (uint16_t)port));
    ports_adopted(&ports, 7);
    assert_int_equal(port, ports_choose(&ports, 4, (uint16_t)port));
    ports_finish(&ports);
}

static void a_port_is_free_at_once_where_no_table_is_on_its_way(void **state)
{
    struct ports ports;
    int port;

    (void)state;
    ports_init(&ports);
    ports_published(&ports, 3);
    ports_adopted(&ports, 3);
    port = ports_choose(&ports, 1, 0);
    assert_true(port > 0);
    ports_release(&ports, 1, 0);
    assert_int_equal(port, ports_choose(&ports, 2, (uint16_t)port));
    ports_finish(&ports);
}

static void the_port_kept_is_not_released(void **state)
{
    struct ports ports;
    int old;
    int new;

    (void)state;
    ports_init(&ports);
    old = ports_choose(&ports, 1, 0);
    new = ports_choose(&ports, 1, 0);
    assert_true(old > 0 && new > 0 && old != new);
    ports_release(&ports, 1, (uint16_t) new);
    assert_int_equal(old, ports_choose(&ports, 2, (uint16_t)old));
    assert_int_not_equal(new, ports_choose(&ports, 2, (uint16_t) new));
    ports_finish(&ports);
}

static void one_claimed_by_an_adoption_is_not_freed_by_an_old_epoch(void **state)
{
    struct ports ports;
    int port;

    (void)state;
    ports_init(&ports);
    ports_published(&ports, 2);
    port = ports_choose(&ports, 1, 0);
    assert_true(port > 0);
    ports_release(&ports, 1, 0);
    ports_claim(&ports, 9, (uint16_t)port);
    ports_adopted(&ports, 2);
    assert_int_not_equal(port, ports_choose(&ports, 2, (uint16_t)port));
    assert_int_equal(port, ports_choose(&ports, 9, (uint16_t)port));
    ports_finish(&ports);
}

static void more_ports_than_can_wait_push_out_the_oldest(void **state)
{
    struct ports ports;

    (void)state;
    ports_init(&ports);
    ports_published(&ports, 1);
    for (unsigned i = 0; i <= PORTS_WAITING_MAX; i++)
        ports_claim(&ports, 1, (uint16_t)(1024 + i));
    ports_release(&ports, 1, 0);
    assert_int_equal(PORTS_WAITING_MAX, ports.waiting_count);
    assert_int_equal(0, ports.owner[1024]);
    assert_int_not_equal(0, ports.owner[1025]);
    ports_finish(&ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_keeps_its_port),
        cmocka_unit_test(a_port_that_somebody_took_is_exchanged),
        cmocka_unit_test(two_replicas_never_have_one_port),
        cmocka_unit_test(a_port_waits_until_every_worker_left_the_last_table_that_had_it),
        cmocka_unit_test(a_port_is_free_at_once_where_no_table_is_on_its_way),
        cmocka_unit_test(the_port_kept_is_not_released),
        cmocka_unit_test(one_claimed_by_an_adoption_is_not_freed_by_an_old_epoch),
        cmocka_unit_test(more_ports_than_can_wait_push_out_the_oldest),
    };

    return cmocka_run_group_tests_name("replica/ports", tests, NULL, NULL);
}
