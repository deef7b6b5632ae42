#include "any_config.h"

#include <errno.h>

#include "config/config_field.h"
#include "config/config_value.h"

/* A field of that type with a wide range. */
static struct config_field field_of(enum config_type type)
{
    return (struct config_field){.path = "x", .type = type, .least = 0, .most = UINT32_MAX};
}

static void expect_number(enum config_type type, const char *text, uint64_t expected,
                          const char *printed)
{
    struct config_field field = field_of(type);
    struct arena arena = {0};
    struct buffer out;
    uint64_t wide = 0;
    uint32_t narrow = 0;
    void *place = type == CONFIG_SIZE ? (void *)&wide : (void *)&narrow;

    field.most = type == CONFIG_SIZE ? UINT64_MAX : UINT32_MAX;
    assert_int_equal(config_value_parse(&field, view_of(text), &arena, place, NULL), 0);
    assert_true((type == CONFIG_SIZE ? wide : narrow) == expected);
    buffer_init(&out, 100);
    assert_true(config_value_print(&field, place, &out));
    assert_true(view_equals(buffer_view(&out), view_of(printed)));
    buffer_finish(&out);
    arena_finish(&arena);
}

static void expect_refused(const struct config_field *field, const char *text)
{
    struct arena arena = {0};
    uint64_t place[8] = {0};

    assert_int_equal(config_value_parse(field, view_of(text), &arena, place, NULL), -EINVAL);
    assert_true(place[0] == 0);
    arena_finish(&arena);
}

static void expect_all_refused(enum config_type type, const char *const *texts)
{
    struct config_field field = field_of(type);

    for (unsigned i = 0; texts[i]; i++)
        expect_refused(&field, texts[i]);
}

static void expect_all_taken(enum config_type type, const char *const *texts)
{
    struct config_field field = field_of(type);

    field.least = 1;
    field.most = 65535;
    for (unsigned i = 0; texts[i]; i++) {
        struct arena arena = {0};
        struct buffer out;
        uint64_t place[16] = {0};

        assert_int_equal(config_value_parse(&field, view_of(texts[i]), &arena, place, NULL), 0);
        buffer_init(&out, 1000);
        assert_true(config_value_print(&field, place, &out));
        assert_true(view_equals(buffer_view(&out), view_of(texts[i])));
        buffer_finish(&out);
        arena_finish(&arena);
    }
}

static void durations_have_units(void **state)
{
    (void)state;
    expect_number(CONFIG_DURATION, "500ms", 500, "500ms");
    expect_number(CONFIG_DURATION, "10s", 10000, "10s");
    expect_number(CONFIG_DURATION, "1500ms", 1500, "1500ms");
    expect_number(CONFIG_DURATION, "90s", 90000, "90s");
    expect_number(CONFIG_DURATION, "5m", 300000, "5m");
    expect_number(CONFIG_DURATION, "24h", 86400000, "24h");
    expect_number(CONFIG_DURATION, "0s", 0, "0ms");
    expect_number(CONFIG_DURATION, "0", 0, "0ms");
    expect_all_refused(CONFIG_DURATION, ANY_TEXTS("", "5", "ms", "1.5s", "-1s", "1 s", "1S", "1d",
                                                  "5000000000ms", "99999999999999999999s"));
}

static void sizes_may_have_units(void **state)
{
    (void)state;
    expect_number(CONFIG_SIZE, "0", 0, "0");
    expect_number(CONFIG_SIZE, "1000", 1000, "1000B");
    expect_number(CONFIG_SIZE, "1kB", 1000, "1000B");
    expect_number(CONFIG_SIZE, "32KiB", 32768, "32KiB");
    expect_number(CONFIG_SIZE, "1MB", 1000000, "1000000B");
    expect_number(CONFIG_SIZE, "256MiB", 268435456, "256MiB");
    expect_number(CONFIG_SIZE, "4GiB", UINT64_C(4294967296), "4GiB");
    expect_number(CONFIG_SIZE, "1TiB", UINT64_C(1099511627776), "1TiB");
    expect_all_refused(CONFIG_SIZE, ANY_TEXTS("", "KiB", "1.5KiB", "-1", "1kib", "1 KiB",
                                              "18446744073709551616", "9999999999TiB"));
}

static void fractions_are_exact(void **state)
{
    (void)state;
    expect_number(CONFIG_FACTOR, "1.25", 1250, "1.25");
    expect_number(CONFIG_FACTOR, "0.5", 500, "0.5");
    expect_number(CONFIG_FACTOR, "2", 2000, "2");
    expect_number(CONFIG_FACTOR, "0.001", 1, "0.001");
    expect_number(CONFIG_FACTOR, "10.020", 10020, "10.02");
    expect_number(CONFIG_PERCENT, "5%", 50, "5%");
    expect_number(CONFIG_PERCENT, "0.5%", 5, "0.5%");
    expect_number(CONFIG_PERCENT, "100%", 1000, "100%");
    expect_all_refused(CONFIG_FACTOR, ANY_TEXTS("", ".5", "1.", "1.2345", "1e3", "-1", "1,5"));
    expect_all_refused(CONFIG_PERCENT, ANY_TEXTS("", "%", "5", "5 %", "0.55%", "-5%", "5%%"));
}

static void integers_are_digits_alone(void **state)
{
    (void)state;
    expect_number(CONFIG_INTEGER, "0", 0, "0");
    expect_number(CONFIG_INTEGER, "4294967295", 4294967295, "4294967295");
    expect_all_refused(CONFIG_INTEGER,
                       ANY_TEXTS("", "-1", "+1", "0x10", "1_000", "1.0", "4294967296", " 1"));
}

static void ranges_include_their_ends(void **state)
{
    struct config_field field = field_of(CONFIG_INTEGER);
    uint32_t number = 0;

    (void)state;
    field.least = 2;
    field.most = 5;
    expect_refused(&field, "1");
    expect_refused(&field, "6");
    assert_int_equal(config_value_parse(&field, VIEW("2"), NULL, &number, NULL), 0);
    assert_int_equal(config_value_parse(&field, VIEW("5"), NULL, &number, NULL), 0);
    assert_int_equal(number, 5);
}

static void a_special_word_stands_for_a_value(void **state)
{
    struct config_field field = field_of(CONFIG_INTEGER);
    struct buffer out;
    uint32_t number = 7;

    (void)state;
    field.least = 1;
    field.special = "auto";
    field.special_value = 0;
    assert_int_equal(config_value_parse(&field, VIEW("auto"), NULL, &number, NULL), 0);
    assert_int_equal(number, 0);
    buffer_init(&out, 100);
    assert_true(config_value_print(&field, &number, &out));
    assert_true(view_equals(buffer_view(&out), VIEW("auto")));
    buffer_finish(&out);
    expect_refused(&field, "off");
}

static void booleans_are_true_and_false(void **state)
{
    expect_all_taken(CONFIG_BOOL, ANY_TEXTS("true", "false"));
    (void)state;
    expect_all_refused(CONFIG_BOOL, ANY_TEXTS("", "yes", "no", "on", "True", "1", "0"));
}

static void addresses_and_hosts_are_checked(void **state)
{
    (void)state;
    expect_all_taken(CONFIG_ENDPOINT,
                     ANY_TEXTS("127.0.0.1:5000", "[::1]:1", "[2001:db8::1]:65535"));
    expect_all_refused(CONFIG_ENDPOINT,
                       ANY_TEXTS("", "127.0.0.1", "127.0.0.1:0", "::1:5000", "localhost:1",
                                 "127.0.0.1:65536", "[::1]", "unix:/x"));
    expect_all_taken(CONFIG_DOORS, ANY_TEXTS("127.0.0.1:5000", "unix:/run/roost.sock"));
    expect_all_refused(CONFIG_DOORS, ANY_TEXTS("", "run/x", "unix:x", "unix:"));
    expect_all_taken(CONFIG_HOST, ANY_TEXTS("example.org", "*.example.org", "127.0.0.1", "[::1]"));
    expect_all_refused(CONFIG_HOST, ANY_TEXTS("", "*", "*.", ".x", "a b", "a/b", "a*b", "x\n"));
    expect_all_taken(CONFIG_URL_PATH, ANY_TEXTS("/", "/api", "/a?b=c", "/%20"));
    expect_all_refused(CONFIG_URL_PATH, ANY_TEXTS("", "api", "/a b", "/a#b", "/\x7f", "/\xc3\xa9"));
    expect_all_taken(CONFIG_NETWORKS, ANY_TEXTS("10.0.0.0/8", "fd00::/8", "192.0.2.1", "::1"));
    expect_all_refused(CONFIG_NETWORKS, ANY_TEXTS("", "10.0.0.0/33", "10/8", "fd00::/129", "x"));
}

static void the_path_of_a_unix_socket_may_stand_alone(void **state)
{
    struct config_field field = field_of(CONFIG_DOORS);
    struct arena arena = {0};
    char *door = NULL;
    char path[200] = "/";

    (void)state;
    assert_int_equal(config_value_parse(&field, VIEW("/run/r.sock"), &arena, &door, NULL), 0);
    assert_string_equal(door, "unix:/run/r.sock");
    memset(path + 1, 'x', sizeof(path) - 2);
    path[108] = '\0';
    expect_refused(&field, path);
    path[107] = '\0';
    assert_int_equal(config_value_parse(&field, view_of(path), &arena, &door, NULL), 0);
    arena_finish(&arena);
}

static void texts_are_printable_utf8(void **state)
{
    (void)state;
    expect_all_taken(CONFIG_TEXT, ANY_TEXTS("a b", "caf\xc3\xa9", "\xf0\x9f\x98\x80"));
    expect_all_refused(CONFIG_TEXT, ANY_TEXTS("", "a\nb", "\x7f", "\xff", "\xc3", "\xc2\x85",
                                              "\xe2\x80\xa8", "\xef\xbb\xbf", "\xed\xa0\x80"));
    expect_all_taken(CONFIG_TEXTS, ANY_TEXTS("", "a\nb\tc", "{port}"));
    expect_all_refused(CONFIG_TEXTS, ANY_TEXTS("\x1b[0m", "\xff"));
}

static void entries_of_maps_have_legal_names(void **state)
{
    struct config_field env = field_of(CONFIG_ENV);
    struct config_field weights = field_of(CONFIG_WEIGHTS);
    struct arena arena = {0};
    struct config_pair pair;
    struct config_weight weight;
    struct error why;

    (void)state;
    assert_int_equal(config_value_parse_pair(&env, VIEW("_K1"), VIEW("v"), &arena, &pair, NULL), 0);
    assert_string_equal(pair.name, "_K1");
    assert_string_equal(pair.value, "v");
    assert_int_equal(config_value_parse_pair(&env, VIEW("1K"), VIEW("v"), &arena, &pair, &why),
                     -EINVAL);
    assert_string_equal(why.text, "expected as the key the name of a variable, found \"1K\"");
    assert_int_equal(
        config_value_parse_pair(&weights, VIEW("Server 1"), VIEW("3"), &arena, &weight, NULL), 0);
    assert_string_equal(weight.name, "Server 1");
    assert_int_equal(weight.weight, 3);
    assert_int_equal(
        config_value_parse_pair(&weights, VIEW("Server 1"), VIEW("x"), &arena, &weight, NULL),
        -EINVAL);
    assert_int_equal(config_value_parse_pair(&weights, VIEW("/"), VIEW("1"), &arena, &weight, NULL),
                     -EINVAL);
    arena_finish(&arena);
}

static void every_default_is_legal(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_field_count; i++) {
        const struct config_field *field = &config_fields[i];
        struct arena arena = {0};
        uint64_t place[16];

        if (field->type == CONFIG_SECTION || field->type == CONFIG_LIST)
            continue;
        config_value_set_default(field, &arena, place);
        arena_finish(&arena);
    }
}

static void what_was_found_is_shown_short_and_escaped(void **state)
{
    struct config_field field = field_of(CONFIG_BOOL);
    struct error why;
    char text[1000];

    (void)state;
    memset(text, '\n', sizeof(text));
    assert_int_equal(config_value_refuse(&field, (struct view){text, sizeof(text)}, &why), -EINVAL);
    assert_null(strchr(why.text, '\n'));
    assert_true(strlen(why.text) < 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(sizes_may_have_units),
        cmocka_unit_test(fractions_are_exact),
        cmocka_unit_test(integers_are_digits_alone),
        cmocka_unit_test(ranges_include_their_ends),
        cmocka_unit_test(a_special_word_stands_for_a_value),
        cmocka_unit_test(booleans_are_true_and_false),
        cmocka_unit_test(addresses_and_hosts_are_checked),
        cmocka_unit_test(the_path_of_a_unix_socket_may_stand_alone),
        cmocka_unit_test(texts_are_printable_utf8),
        cmocka_unit_test(entries_of_maps_have_legal_names),
        cmocka_unit_test(every_default_is_legal),
        cmocka_unit_test(what_was_found_is_shown_short_and_escaped),
    };

    return cmocka_run_group_tests_name("config/config_value", tests, NULL, NULL);
}
