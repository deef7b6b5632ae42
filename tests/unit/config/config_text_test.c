#include "any_config.h"

#include "config/config_text.h"

static void names_are_those_of_the_classic_api(void **state)
{
    char text[CONFIG_NAME_BYTES_MAX + 2];

    (void)state;
    assert_true(config_text_is_name(VIEW("Server 1")));
    assert_true(config_text_is_name(VIEW("a")));
    assert_true(config_text_is_name(VIEW("a_b-c.d 9")));
    assert_false(config_text_is_name(VIEW("")));
    assert_false(config_text_is_name(VIEW(" a")));
    assert_false(config_text_is_name(VIEW("a ")));
    assert_false(config_text_is_name(VIEW("-a")));
    assert_false(config_text_is_name(VIEW("a/b")));
    assert_false(config_text_is_name(VIEW("a\0b")));
    assert_false(config_text_is_name(VIEW("caf\xc3\xa9")));
    memset(text, 'x', sizeof(text));
    assert_true(config_text_is_name((struct view){text, CONFIG_NAME_BYTES_MAX}));
    assert_false(config_text_is_name((struct view){text, CONFIG_NAME_BYTES_MAX + 1}));
}

static void variables_are_letters_digits_and_underscores(void **state)
{
    (void)state;
    assert_true(config_text_is_variable(VIEW("PATH")));
    assert_true(config_text_is_variable(VIEW("_a1")));
    assert_false(config_text_is_variable(VIEW("")));
    assert_false(config_text_is_variable(VIEW("1a")));
    assert_false(config_text_is_variable(VIEW("A=B")));
    assert_false(config_text_is_variable(VIEW("a-b")));
    assert_false(config_text_is_variable(VIEW("a\0b")));
}

static void hosts_may_begin_with_a_star(void **state)
{
    char text[300];

    (void)state;
    assert_true(config_text_is_host(VIEW("a.b")));
    assert_true(config_text_is_host(VIEW("*.a.b")));
    assert_false(config_text_is_host(VIEW("*")));
    assert_false(config_text_is_host(VIEW("a.*.b")));
    assert_false(config_text_is_host(VIEW("caf\xc3\xa9")));
    memset(text, 'a', sizeof(text));
    assert_true(config_text_is_host((struct view){text, 253}));
    assert_false(config_text_is_host((struct view){text, 254}));
}

static void paths_begin_with_a_slash(void **state)
{
    (void)state;
    assert_true(config_text_is_url_path(VIEW("/a/b?c=d")));
    assert_false(config_text_is_url_path(VIEW("a/b")));
    assert_false(config_text_is_url_path(VIEW("/a\r\nb")));
    assert_false(config_text_is_url_path(VIEW("/a\0b")));
}

static void endpoints_are_literal_addresses_with_a_port(void **state)
{
    (void)state;
    assert_true(config_text_is_endpoint(VIEW("127.0.0.1:1")));
    assert_true(config_text_is_endpoint(VIEW("[::]:65535")));
    assert_false(config_text_is_endpoint(VIEW("127.0.0.1:0")));
    assert_false(config_text_is_endpoint(VIEW("localhost:1")));
    assert_false(config_text_is_endpoint(VIEW("unix:/a")));
}

static void printable_is_utf8_without_controls(void **state)
{
    (void)state;
    assert_true(config_text_is_printable(VIEW(""), ""));
    assert_true(config_text_is_printable(VIEW("a\tb"), "\t"));
    assert_false(config_text_is_printable(VIEW("a\tb"), ""));
    assert_false(config_text_is_printable(VIEW("a\0b"), "\t"));
    assert_false(config_text_is_printable(VIEW("\xc3\x28"), ""));
    assert_false(config_text_is_printable(VIEW("\xc2\x9b"), ""));
    assert_true(config_text_is_printable(VIEW("\xc2\xa0"), ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_classic_api),
        cmocka_unit_test(variables_are_letters_digits_and_underscores),
        cmocka_unit_test(hosts_may_begin_with_a_star),
        cmocka_unit_test(paths_begin_with_a_slash),
        cmocka_unit_test(endpoints_are_literal_addresses_with_a_port),
        cmocka_unit_test(printable_is_utf8_without_controls),
    };

    return cmocka_run_group_tests_name("config/config_text", tests, NULL, NULL);
}
