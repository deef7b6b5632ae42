#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/driver_static_name.h"

#include <errno.h>
#include <stdio.h>

static struct address ip(const char *text)
{
    struct address address;

    assert_int_equal(0, address_from_ip(view_of(text), 8080, &address));
    return address;
}

/* What the replica of `entry` at `address` is called; and back. */
static void expect(const char *entry, const char *address, const char *name)
{
    struct address at = ip(address);
    struct address read;
    struct view read_entry;
    char made[DRIVER_NAME_BYTES];

    driver_static_name_make(entry, &at, made);
    assert_string_equal(name, made);
    assert_int_equal(0, driver_static_name_read(name, &read_entry, &read));
    assert_true(view_equals(view_of(entry), read_entry));
    address_set_port(&read, 8080);
    assert_true(address_equals(&at, &read));
}

static void a_name_is_the_entry_and_the_address(void **state)
{
    (void)state;
    expect("web", "10.0.0.1", "web-10.0.0.1");
    expect("my app_1.x-y", "255.1.2.3", "my app_1.x-y-255.1.2.3");
    expect("web", "fd00::13", "web-fd00..13");
    expect("web", "::1", "web-..1");
    expect("web", "fd00::", "web-fd00..0");
    expect("web", "1:2:3:4:5:6:7:8", "web-1.2.3.4.5.6.7.8");
    expect("a", "b:c::1", "a-b.c..1");
    expect("a-b", "c::1", "a-b-c..1");
}

static void the_longest_entry_and_address_make_a_name(void **state)
{
    char entry[DRIVER_STATIC_NAME_ENTRY_MAX + 1];
    char name[DRIVER_NAME_BYTES];

    (void)state;
    memset(entry, 'e', sizeof(entry) - 1);
    entry[sizeof(entry) - 1] = '\0';
    snprintf(name, sizeof(name), "%s-%s", entry, "fd00.1111.2222.3333.4444.5555.6666.7777");
    assert_int_equal(DRIVER_NAME_BYTES - 1, strlen(name));
    expect(entry, "fd00:1111:2222:3333:4444:5555:6666:7777", name);
}

static void other_names_are_none(void **state)
{
    static const char *const names[] = {
        "",
        "web",
        "web-1",
        "web-10.0.0",
        "web-10.0.0.1.2",
        "web-a",
        "-10.0.0.1",
        "10.0.0.1",
        "web-10.0.0.01",
        "web-fd00..013",
        "web-FD00..1",
        "web-fd00.0.0.0.0.0.0.13",
        "web-fd00.",
        "web-fd00..",
        "web-[fd00..1]",
        "web-fd00::13",
        "web-",
        "a-name-that-is-too-long-for-it-10.0.0.1",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct address address;
        struct view entry;

        assert_int_equal(-EINVAL, driver_static_name_read(names[i], &entry, &address));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_the_entry_and_the_address),
        cmocka_unit_test(the_longest_entry_and_address_make_a_name),
        cmocka_unit_test(other_names_are_none),
    };

    return cmocka_run_group_tests_name("replica/driver_static_name", tests, NULL, NULL);
}
