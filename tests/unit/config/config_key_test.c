#include "any_config.h"

#include <errno.h>

#include "config/config_key.h"

static void expect(const char *text, struct table_key_spec expected, const char *printed)
{
    struct arena arena = {0};
    struct table_key_spec source;
    struct buffer out;

    assert_int_equal(config_key_parse(view_of(text), &arena, &source), 0);
    assert_int_equal(source.kind, expected.kind);
    assert_int_equal(source.number, expected.number);
    assert_int_equal(source.number6, expected.number6);
    if (expected.text)
        assert_string_equal(source.text, expected.text);
    else
        assert_null(source.text);
    buffer_init(&out, 1000);
    config_key_print(&source, &out);
    assert_true(view_equals(buffer_view(&out), view_of(printed)));
    buffer_finish(&out);
    arena_finish(&arena);
}

static void every_source_is_read_and_printed(void **state)
{
    (void)state;
    expect("header:X-Request-ID",
           (struct table_key_spec){.kind = TABLE_KEY_HEADER, .text = "X-Request-ID"},
           "header:X-Request-ID");
    expect("cookie:sid", (struct table_key_spec){.kind = TABLE_KEY_COOKIE, .text = "sid"},
           "cookie:sid");
    expect("query:id", (struct table_key_spec){.kind = TABLE_KEY_QUERY, .text = "id"}, "query:id");
    expect("path", (struct table_key_spec){.kind = TABLE_KEY_PATH}, "path");
    expect("path:2", (struct table_key_spec){.kind = TABLE_KEY_PATH, .number = 2}, "path:2");
    expect("host", (struct table_key_spec){.kind = TABLE_KEY_HOST}, "host");
    expect("client-ip", (struct table_key_spec){.kind = TABLE_KEY_CLIENT_IP}, "client-ip");
    expect("client-ip/24",
           (struct table_key_spec){.kind = TABLE_KEY_CLIENT_IP, .number = 24, .number6 = 64},
           "client-ip/24/64");
    expect("client-ip/24/56",
           (struct table_key_spec){.kind = TABLE_KEY_CLIENT_IP, .number = 24, .number6 = 56},
           "client-ip/24/56");
    expect("json:/user/id", (struct table_key_spec){.kind = TABLE_KEY_JSON, .text = "/user/id"},
           "json:/user/id");
    expect("json:/a~1b", (struct table_key_spec){.kind = TABLE_KEY_JSON, .text = "/a~1b"},
           "json:/a~1b");
    expect("random", (struct table_key_spec){.kind = TABLE_KEY_RANDOM}, "random");
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "header",
        "header:",
        "header:a b",
        "header:a:b",
        "cookie:",
        "cookie:a=b",
        "query:",
        "query:a&b",
        "path:",
        "path:0",
        "path:33",
        "path:x",
        "paths",
        "hosts",
        "client-ip/",
        "client-ip/0",
        "client-ip/33",
        "client-ip/24/",
        "client-ip/24/129",
        "client-ip/24/0",
        "json:",
        "json:user",
        "json:/a~2",
        "json:/a~",
        "random:6",
        "Header:X",
        " random",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct arena arena = {0};
        struct table_key_spec source = {.number = 77};

        if (config_key_parse(view_of(bad[i]), &arena, &source) != -EINVAL)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(source.number, 77);
        arena_finish(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_source_is_read_and_printed),
        cmocka_unit_test(anything_else_is_refused),
    };

    return cmocka_run_group_tests_name("config/config_key", tests, NULL, NULL);
}
