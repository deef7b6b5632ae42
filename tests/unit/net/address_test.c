#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "net/address.h"

static struct address parsed(const char *text)
{
    struct address address;
    struct error why = {0};

    if (address_from_text(view_of(text), &address, &why) < 0)
        fail_msg("%s: %s", text, why.text);
    return address;
}

static struct address_range range_of(const char *text)
{
    struct address_range range;
    struct error why = {0};

    if (address_range_from_text(view_of(text), &range, &why) < 0)
        fail_msg("%s: %s", text, why.text);
    return range;
}

static void text_goes_there_and_back(void **state)
{
    static const char *const texts[] = {"127.0.0.1:5000", "0.0.0.0:0", "255.255.255.255:65535",
                                        "[::1]:5000",     "[::]:1",    "[2001:db8::ff]:80",
                                        "unix:/run/x",    "unix:x y"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct address address = parsed(texts[i]);
        char text[ADDRESS_TEXT_BYTES];

        address_to_text(&address, text);
        assert_string_equal(text, texts[i]);
    }
}

static void what_is_no_address_is_refused_with_a_sentence_and_changes_nothing(void **state)
{
    static const struct view texts[] = {
        VIEW(""),           VIEW("5000"),         VIEW(":5000"),
        VIEW("1.2.3.4"),    VIEW("1.2.3.4:"),     VIEW("1.2.3.4:65536"),
        VIEW("1.2.3.4:-1"), VIEW("1.2.3.4:+1"),   VIEW("1.2.3:80"),
        VIEW("01.2.3.4:1"), VIEW("localhost:80"), VIEW("::1:80"),
        VIEW("[::1]"),      VIEW("[::1]80"),      VIEW("[::1:80"),
        VIEW("::1]:80"),    VIEW("[1.2.3.4]:80"), VIEW("[]:80"),
        VIEW("[[::1]]:80"), VIEW("[::1%lo]:80"),  VIEW("unix:"),
        VIEW("unix:a\0b"),  VIEW("1.2.3.4\0:80"), VIEW("[::1\0]:80"),
        VIEW(" 1.2.3.4:1"), VIEW("1.2.3.4 :1"),   {NULL, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct address address = {.size = 77};
        struct error why = {.text = ""};

        if (address_from_text(texts[i], &address, &why) != -EINVAL)
            fail_msg("taken: %.*s", VIEW_ARGUMENTS(texts[i]));
        assert_int_not_equal(why.text[0], 0);
        assert_int_equal(address.size, 77);
        assert_int_equal(address_from_text(texts[i], &address, NULL), -EINVAL);
    }
}

static void a_path_may_be_as_long_as_the_kernel_takes(void **state)
{
    struct address address = parsed("unix:/a");
    char longest[5 + sizeof(address.un.sun_path) + 1] = "unix:";
    char text[ADDRESS_TEXT_BYTES];

    (void)state;
    assert_int_equal(address.size, offsetof(struct sockaddr_un, sun_path) + 3);
    memset(longest + 5, 'p', sizeof(address.un.sun_path) - 1);
    address = parsed(longest);
    address_to_text(&address, text);
    assert_string_equal(text, longest);
    longest[sizeof(longest) - 2] = 'p';
    assert_int_equal(address_from_text(view_of(longest), &address, NULL), -EINVAL);
}

/* The kernel may hand over a path that fills its place and bears no zero. */
static void a_path_without_a_zero_is_not_read_beyond_its_end(void **state)
{
    struct address address;
    struct address other;
    char text[ADDRESS_TEXT_BYTES];

    (void)state;
    memset(&address, 'p', sizeof(address));
    address.un.sun_family = AF_UNIX;
    other = address;
    other.size = 0;
    address_to_text(&address, text);
    assert_int_equal(strlen(text), 5 + sizeof(address.un.sun_path));
    assert_true(address_equals(&address, &other));
}

static void an_ip_is_read_with_and_without_brackets(void **state)
{
    struct address address;
    char text[ADDRESS_TEXT_BYTES];

    (void)state;
    assert_int_equal(address_from_ip(VIEW("10.1.2.3"), 7, &address), 0);
    assert_int_equal(address.any.sa_family, AF_INET);
    assert_int_equal(address.size, sizeof(address.in));
    assert_int_equal(address_port(&address), 7);
    assert_int_equal(address_from_ip(VIEW("[fe80::1]"), 8, &address), 0);
    assert_int_equal(address_from_ip(VIEW("fe80::1"), 8, &address), 0);
    assert_int_equal(address.size, sizeof(address.in6));
    assert_int_equal(address.in6.sin6_scope_id, 0);
    address_ip_to_text(&address, text);
    assert_string_equal(text, "fe80::1");
    address_set_port(&address, 65535);
    assert_int_equal(address_port(&address), 65535);
    assert_int_equal(address_from_ip(VIEW("10.1.2.3:7"), 7, &address), -EINVAL);
    assert_int_equal(address_from_ip(VIEW("10.1.2.3\0evil"), 7, &address), -EINVAL);
    assert_int_equal(address_from_ip((struct view){0}, 7, &address), -EINVAL);
}

static void a_mapped_address_is_written_as_the_ipv4_one_it_is(void **state)
{
    struct address address = parsed("[::ffff:10.0.0.1]:80");
    char text[ADDRESS_TEXT_BYTES];

    (void)state;
    address_ip_to_text(&address, text);
    assert_string_equal(text, "10.0.0.1");
    address = parsed("unix:/x");
    address_ip_to_text(&address, text);
    assert_string_equal(text, "");
    assert_int_equal(address_port(&address), 0);
}

static void every_ipv4_address_is_written_as_the_library_does(void **state)
{
    (void)state;
    for (uint32_t byte = 0; byte < 256; byte++) {
        const uint32_t ips[] = {byte, byte << 8, byte << 16, byte << 24, byte * 0x01010101u};

        for (size_t i = 0; i < sizeof(ips) / sizeof(*ips); i++) {
            struct address address = {.in = {.sin_family = AF_INET, .sin_addr = {ips[i]}}};
            char text[ADDRESS_TEXT_BYTES], expected[INET_ADDRSTRLEN];

            assert_non_null(inet_ntop(AF_INET, &ips[i], expected, sizeof(expected)));
            address_ip_to_text(&address, text);
            assert_string_equal(text, expected);
        }
    }
}

static void addresses_are_equal_where_family_ip_and_port_are(void **state)
{
    struct address a = parsed("127.0.0.1:80");
    struct address b = parsed("127.0.0.1:81");
    struct address six = parsed("[::1]:80");
    struct address path = parsed("unix:/a");
    struct address other = parsed("unix:/b");

    (void)state;
    assert_true(address_equals(&a, &a));
    assert_false(address_equals(&a, &b));
    address_set_port(&b, 80);
    assert_true(address_equals(&a, &b));
    assert_false(address_equals(&a, &six));
    assert_true(address_equals(&six, &six));
    assert_true(address_equals(&path, &path));
    assert_false(address_equals(&path, &other));
}

static void loopback_is_127_and_its_twins_and_paths(void **state)
{
    static const char *const near[] = {"127.0.0.1:1", "127.255.255.255:1", "[::1]:1",
                                       "[::ffff:127.0.0.1]:1", "unix:/x"};
    static const char *const far[] = {"128.0.0.1:1",    "126.255.255.255:1", "0.0.0.0:1",
                                      "[::]:1",         "[::2]:1",           "[::ffff:128.0.0.1]:1",
                                      "[::127.0.0.1]:1"};
    struct address nowhere = {.size = 0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(near); i++) {
        struct address address = parsed(near[i]);

        assert_true(address_is_loopback(&address));
    }
    for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
        struct address address = parsed(far[i]);

        assert_false(address_is_loopback(&address));
    }
    nowhere.any.sa_family = AF_UNSPEC;
    assert_false(address_is_loopback(&nowhere));
}

static bool contains(const char *range, const char *ip)
{
    struct address_range in = range_of(range);
    struct address address;

    assert_int_equal(address_from_ip(view_of(ip), 0, &address), 0);
    return address_is_in_range(&address, &in);
}

static void a_range_holds_what_begins_like_it(void **state)
{
    (void)state;
    assert_true(contains("10.0.0.0/8", "10.255.0.1"));
    assert_false(contains("10.0.0.0/8", "11.0.0.0"));
    assert_true(contains("10.0.0.128/25", "10.0.0.255"));
    assert_false(contains("10.0.0.128/25", "10.0.0.127"));
    assert_true(contains("192.168.1.1", "192.168.1.1"));
    assert_false(contains("192.168.1.1", "192.168.1.0"));
    assert_true(contains("10.0.0.0/8", "::ffff:10.1.1.1"));
    assert_true(contains("::ffff:10.0.0.0/104", "10.1.1.1"));
    assert_true(contains("0.0.0.0/0", "255.1.1.1"));
    assert_false(contains("0.0.0.0/0", "2001:db8::1"));
    assert_true(contains("::/0", "1.2.3.4"));
    assert_true(contains("[2001:db8::]/33", "2001:db8:7fff::1"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(contains("::1/128", "::1"));
    assert_false(contains("::1", "::3"));
}

static void a_range_with_bits_behind_its_prefix_is_refused(void **state)
{
    static const char *const texts[] = {"10.0.0.1/8", "10.0.0.0/33",  "10.0.0.0/", "10.0.0.0/-1",
                                        "10.0.0/8",   "10.0.0.0/8/8", "::1/127",   "::/129",
                                        "",           "/8",           "0.0.0.1/0", "host/8",
                                        "10.0.0.0/8 "};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct address_range range = {.bits = 77};
        struct error why = {.text = ""};

        assert_int_equal(address_range_from_text(view_of(texts[i]), &range, &why), -EINVAL);
        assert_int_not_equal(why.text[0], 0);
        assert_int_equal(range.bits, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_there_and_back),
        cmocka_unit_test(what_is_no_address_is_refused_with_a_sentence_and_changes_nothing),
        cmocka_unit_test(a_path_may_be_as_long_as_the_kernel_takes),
        cmocka_unit_test(a_path_without_a_zero_is_not_read_beyond_its_end),
        cmocka_unit_test(an_ip_is_read_with_and_without_brackets),
        cmocka_unit_test(a_mapped_address_is_written_as_the_ipv4_one_it_is),
        cmocka_unit_test(every_ipv4_address_is_written_as_the_library_does),
        cmocka_unit_test(addresses_are_equal_where_family_ip_and_port_are),
        cmocka_unit_test(loopback_is_127_and_its_twins_and_paths),
        cmocka_unit_test(a_range_holds_what_begins_like_it),
        cmocka_unit_test(a_range_with_bits_behind_its_prefix_is_refused),
    };

    return cmocka_run_group_tests_name("net/address", tests, NULL, NULL);
}
