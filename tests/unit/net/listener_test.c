#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "net/listener.h"

#define NOW_US UINT64_C(1000000000)

static struct loop loop;
static unsigned accepted;
static struct address last_client;
static bool stops;

static int start(void **state)
{
    (void)state;
    accepted = 0;
    stops = false;
    clock_set(NOW_US);
    return loop_init(&loop, NULL);
}

static int finish(void **state)
{
    (void)state;
    loop_finish(&loop);
    clock_set(0);
    return 0;
}

static struct address any_port(const char *text)
{
    struct address address;

    assert_int_equal(address_from_text(view_of(text), &address, NULL), 0);
    return address;
}

static int open_listener(struct address *address, bool shares)
{
    struct error why = {0};
    int fd = listener_open(address, shares, &why);

    if (fd < 0)
        fail_msg("%s", why.text);
    return fd;
}

static void on_accept(struct listener *listener, int fd, const struct address *client)
{
    int on = 0;
    socklen_t size = sizeof(on);

    assert_ptr_equal(listener->owner, &accepted);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    if (client->any.sa_family == AF_INET) {
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
        assert_int_not_equal(on, 0);
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &on, &size), 0);
        assert_int_equal(on, LISTENER_UNSENT_BYTES);
    }
    accepted++;
    last_client = *client;
    close(fd);
    if (stops)
        listener_stop(listener);
}

static int client_of(const struct address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &address->any, address->size), 0);
    return fd;
}

static void a_client_is_accepted_with_its_address(void **state)
{
    struct address address = any_port("127.0.0.1:0");
    int fd = open_listener(&address, false);
    struct listener listener;
    struct address mine;
    int client;

    (void)state;
    assert_int_not_equal(address_port(&address), 0);
    assert_int_equal(listener_start(&listener, &loop, fd, on_accept, &accepted), 0);
    client = client_of(&address);
    mine.size = sizeof(mine.in);
    assert_int_equal(getsockname(client, &mine.any, &mine.size), 0);
    loop_turn(&loop, CLOCK_US_PER_S);
    assert_int_equal(accepted, 1);
    assert_true(address_equals(&last_client, &mine));
    listener_stop(&listener);
    listener_stop(&listener);
    close(client);
    close(fd);
}

static void a_taken_port_is_a_sentence_and_shared_ones_are_not_taken(void **state)
{
    struct address address = any_port("127.0.0.1:0");
    struct error why = {0};
    int first = open_listener(&address, true);
    int second = open_listener(&address, true);

    (void)state;
    assert_int_equal(listener_open(&address, false, &why), -EADDRINUSE);
    assert_non_null(strstr(why.text, "cannot listen on 127.0.0.1:"));
    close(first);
    close(second);
    first = open_listener(&address, false);
    close(first);
}

/* The kernel makes a socket before it looks whether somebody waits. */
static void after_one_that_came_alone_nobody_is_asked_for_in_vain(void **state)
{
    struct address address = any_port("127.0.0.1:0");
    int fd = open_listener(&address, false);
    struct listener listener;
    int clients[7];

    (void)state;
    assert_int_equal(listener_start(&listener, &loop, fd, on_accept, &accepted), 0);
    loop_turn(&loop, 0);
    clients[0] = client_of(&address);
    loop_turn(&loop, 0);
    assert_int_equal(accepted, 1);
    loop_turn(&loop, 0);
    for (int i = 1; i < 4; i++)
        clients[i] = client_of(&address);
    loop_turn(&loop, 0);
    assert_int_equal(accepted, 2);
    loop_turn(&loop, 0);
    assert_int_equal(accepted, 4);
    loop_turn(&loop, 0);
    for (int i = 4; i < 7; i++)
        clients[i] = client_of(&address);
    loop_turn(&loop, 0);
    assert_int_equal(accepted, 7);
    for (int i = 0; i < 7; i++)
        close(clients[i]);
    listener_stop(&listener);
    close(fd);
}

static void one_event_accepts_a_limited_number(void **state)
{
    enum { CLIENTS = LISTENER_TURN_MAX + 6 };
    struct address address = any_port("127.0.0.1:0");
    int fd = open_listener(&address, false);
    struct listener listener;
    int clients[CLIENTS];

    (void)state;
    assert_int_equal(listener_start(&listener, &loop, fd, on_accept, &accepted), 0);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_of(&address);
    loop_turn(&loop, CLOCK_US_PER_S);
    assert_int_equal(accepted, LISTENER_TURN_MAX);
    loop_turn(&loop, CLOCK_US_PER_S);
    assert_int_equal(accepted, CLIENTS);
    listener_stop(&listener);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close(fd);
}

static void a_listener_may_be_stopped_from_its_own_callback(void **state)
{
    struct address address = any_port("127.0.0.1:0");
    int fd = open_listener(&address, false);
    struct listener listener;
    int first;
    int second;

    (void)state;
    stops = true;
    assert_int_equal(listener_start(&listener, &loop, fd, on_accept, &accepted), 0);
    first = client_of(&address);
    second = client_of(&address);
    loop_turn(&loop, CLOCK_US_PER_S);
    loop_turn(&loop, 0);
    assert_int_equal(accepted, 1);
    close(first);
    close(second);
    close(fd);
}

static void without_descriptors_accepting_rests_and_goes_on(void **state)
{
    struct address address = any_port("127.0.0.1:0");
    int fd = open_listener(&address, false);
    struct rlimit limit;
    struct rlimit none;
    struct listener listener;
    int client;

    (void)state;
    assert_int_equal(listener_start(&listener, &loop, fd, on_accept, &accepted), 0);
    client = client_of(&address);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    loop_turn(&loop, CLOCK_US_PER_S);
    loop_turn(&loop, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    loop_turn(&loop, 0);
    assert_int_equal(accepted, 0); /* it rests */
    clock_set(NOW_US + LISTENER_REST_US + TIMER_TICK_US);
    loop_turn(&loop, 0);
    loop_turn(&loop, CLOCK_US_PER_S);
    assert_int_equal(accepted, 1);
    listener_stop(&listener);
    close(client);
    close(fd);
}

static struct address socket_file(const char *folder)
{
    char text[128];

    snprintf(text, sizeof(text), "unix:%s/socket", folder);
    return any_port(text);
}

static void a_socket_file_is_private_and_taken_over_only_from_the_dead(void **state)
{
    char folder[] = "/tmp/roost-listener-XXXXXX";
    struct address address;
    struct listener listener;
    struct error why = {0};
    struct stat status;
    int client;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    address = socket_file(folder);
    fd = open_listener(&address, false);
    assert_int_equal(stat(address.un.sun_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(listener_open(&address, false, &why), -EADDRINUSE);
    assert_int_equal(listener_start(&listener, &loop, fd, on_accept, &accepted), 0);
    client = client_of(&address);
    loop_turn(&loop, 0);
    assert_int_equal(accepted, 2); /* the one that looked whether anybody is there, and this one */
    assert_int_equal(last_client.any.sa_family, AF_UNIX);
    listener_stop(&listener);
    close(client);
    close(fd);
    fd = open_listener(&address, false);
    close(fd);
    unlink(address.un.sun_path);
    rmdir(folder);
}

static void a_file_that_is_no_socket_is_never_removed(void **state)
{
    char folder[] = "/tmp/roost-listener-XXXXXX";
    struct address address;
    struct error why = {0};
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    address = socket_file(folder);
    fd = open(address.un.sun_path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(listener_open(&address, false, &why), -EADDRINUSE);
    assert_int_equal(access(address.un.sun_path, F_OK), 0);
    unlink(address.un.sun_path);
    rmdir(folder);
}

/* Somebody who lives and is too busy to accept: looking must not wait for him. */
static void a_full_queue_behind_a_socket_file_does_not_hold_us_up(void **state)
{
    char folder[] = "/tmp/roost-listener-XXXXXX";
    struct address address;
    int clients[2];
    int busy;

    (void)state;
    assert_non_null(mkdtemp(folder));
    address = socket_file(folder);
    busy = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(busy, &address.any, address.size), 0);
    assert_int_equal(listen(busy, 0), 0);
    for (int i = 0; i < 2; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(clients[i], &address.any, address.size);
    }
    alarm(5);
    assert_int_equal(listener_open(&address, false, NULL), -EADDRINUSE);
    alarm(0);
    assert_int_equal(access(address.un.sun_path, F_OK), 0);
    close(clients[0]);
    close(clients[1]);
    close(busy);
    unlink(address.un.sun_path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_is_accepted_with_its_address, start, finish),
        cmocka_unit_test_setup_teardown(a_taken_port_is_a_sentence_and_shared_ones_are_not_taken,
                                        start, finish),
        cmocka_unit_test_setup_teardown(after_one_that_came_alone_nobody_is_asked_for_in_vain,
                                        start, finish),
        cmocka_unit_test_setup_teardown(one_event_accepts_a_limited_number, start, finish),
        cmocka_unit_test_setup_teardown(a_listener_may_be_stopped_from_its_own_callback, start,
                                        finish),
        cmocka_unit_test_setup_teardown(without_descriptors_accepting_rests_and_goes_on, start,
                                        finish),
        cmocka_unit_test_setup_teardown(a_socket_file_is_private_and_taken_over_only_from_the_dead,
                                        start, finish),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_socket_is_never_removed, start, finish),
        cmocka_unit_test_setup_teardown(a_full_queue_behind_a_socket_file_does_not_hold_us_up,
                                        start, finish),
    };

    return cmocka_run_group_tests_name("net/listener", tests, NULL, NULL);
}
