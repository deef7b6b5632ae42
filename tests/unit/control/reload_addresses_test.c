#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/reload_addresses.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/listener.h"

#define WORKERS 2

/* Listeners on two addresses, what a configuration calls them, and a third one. */
struct places {
    struct listeners listeners;
    struct reload_addresses addresses;
    char names[3][ADDRESS_TEXT_BYTES];
};

/* Three addresses of nobody, on a loopback address of this process alone. */
static void name_free(char names[3][ADDRESS_TEXT_BYTES])
{
    unsigned pid = (unsigned)getpid();
    struct error why;
    int fds[3];

    for (unsigned i = 0; i < 3; i++) {
        struct address address;
        char text[ADDRESS_TEXT_BYTES];

        snprintf(text, sizeof(text), "127.%u.%u.%u:0", 1 + (pid >> 16 & 0x7f), pid >> 8 & 0xff,
                 1 + pid % 254);
        assert_int_equal(address_from_text(view_of(text), &address, &why), 0);
        fds[i] = listener_open(&address, false, &why);
        assert_true(fds[i] >= 0);
        address_to_text(&address, names[i]);
    }
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
}

static int change(struct places *places, unsigned first, unsigned second, unsigned workers)
{
    struct config_listener declared[2] = {{.address = places->names[first]},
                                          {.address = places->names[second]}};
    struct config next = {.listeners = declared, .listener_count = 2};
    struct error why;

    return reload_addresses_change(&places->addresses, &places->listeners, &next, NULL, workers,
                                   &why);
}

/* The number of an open address, or a negative one. */
static int find(const struct places *places, unsigned name)
{
    struct address address;
    struct error why;

    assert_int_equal(address_from_text(view_of(places->names[name]), &address, &why), 0);
    return listeners_find(&places->listeners, &address);
}

static void start(struct places *places)
{
    memset(places, 0, sizeof(*places));
    listeners_init(&places->listeners);
    name_free(places->names);
    assert_int_equal(change(places, 0, 1, WORKERS), 0);
    assert_int_equal(find(places, 0), 0);
    assert_int_equal(find(places, 1), 1);
}

static void an_address_that_stays_keeps_its_number_and_its_sockets(void **state)
{
    struct places places;
    int fd;

    (void)state;
    start(&places);
    fd = places.listeners.all[1].sockets[0];
    assert_int_equal(change(&places, 1, 2, WORKERS), 0);
    assert_int_equal(find(&places, 1), 1);
    assert_int_equal(places.listeners.all[1].sockets[0], fd);
    assert_int_equal(places.listeners.all[1].declared, 0);
    assert_int_equal(find(&places, 2), 2);
    assert_int_equal(places.listeners.all[2].count, WORKERS);
    listeners_finish(&places.listeners);
}

static void one_that_leaves_is_known_until_its_workers_are_gone(void **state)
{
    struct places places;

    (void)state;
    start(&places);
    assert_int_equal(change(&places, 1, 2, WORKERS), 0);
    assert_true(places.listeners.all[0].is_leaving);
    assert_true(find(&places, 0) < 0);
    /* The workers of before still accept there. */
    reload_addresses_forget_left(&places.listeners);
    assert_int_equal(places.listeners.all[0].count, WORKERS);
    reload_addresses_close_left(&places.listeners);
    assert_int_equal(places.listeners.all[0].count, 0);
    assert_true(places.listeners.all[0].address.size != 0);
    reload_addresses_forget_left(&places.listeners);
    assert_int_equal(places.listeners.all[0].address.size, 0);
    listeners_finish(&places.listeners);
}

static void what_is_taken_back_is_as_it_was(void **state)
{
    struct places places;

    (void)state;
    start(&places);
    assert_int_equal(change(&places, 1, 2, WORKERS + 1), 0);
    reload_addresses_restore(&places.addresses);
    assert_int_equal(find(&places, 0), 0);
    assert_int_equal(find(&places, 1), 1);
    assert_true(find(&places, 2) < 0);
    assert_int_equal(places.listeners.all[1].declared, 1);
    assert_int_equal(places.listeners.all[1].count, WORKERS);
    listeners_finish(&places.listeners);
}

static void an_address_of_somebody_else_changes_nothing_that_cannot_be_taken_back(void **state)
{
    struct places places;
    struct address address;
    struct error why;
    int other;

    (void)state;
    start(&places);
    assert_int_equal(address_from_text(view_of(places.names[2]), &address, &why), 0);
    other = listener_open(&address, false, &why);
    assert_true(other >= 0);
    assert_true(change(&places, 0, 2, WORKERS) < 0);
    reload_addresses_restore(&places.addresses);
    assert_int_equal(find(&places, 0), 0);
    assert_int_equal(find(&places, 1), 1);
    close(other);
    listeners_finish(&places.listeners);
}

static void too_many_sockets_for_too_few_workers_are_refused(void **state)
{
    struct places places;

    (void)state;
    start(&places);
    assert_int_equal(change(&places, 0, 1, RELOAD_ADDRESSES_SOCKETS_MAX), 0);
    assert_int_equal(change(&places, 0, 1, 1), -E2BIG);
    assert_int_equal(change(&places, 0, 1, 2), 0);
    listeners_finish(&places.listeners);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_that_stays_keeps_its_number_and_its_sockets),
        cmocka_unit_test(one_that_leaves_is_known_until_its_workers_are_gone),
        cmocka_unit_test(what_is_taken_back_is_as_it_was),
        cmocka_unit_test(an_address_of_somebody_else_changes_nothing_that_cannot_be_taken_back),
        cmocka_unit_test(too_many_sockets_for_too_few_workers_are_refused),
    };

    return cmocka_run_group_tests_name("control/reload_addresses", tests, NULL, NULL);
}
