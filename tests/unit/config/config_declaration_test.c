#include "any_config.h"

#include "config/config_declaration.h"

static void digest_of(const char *yaml, char digest[CONFIG_DECLARATION_DIGEST_BYTES])
{
    struct any_config *at = any_config_fine(yaml, NULL);

    config_declaration_digest(&at->config, digest);
    any_config_free(at);
}

static bool are_equal(const char *a, const char *b)
{
    char first[CONFIG_DECLARATION_DIGEST_BYTES];
    char second[CONFIG_DECLARATION_DIGEST_BYTES];

    digest_of(a, first);
    digest_of(b, second);
    return strcmp(first, second) == 0;
}

static void it_is_one_line_of_what_decides_the_replicas(void **state)
{
    struct any_config *at =
        any_config_fine("services: [{replicas: {names: [a], command: [x, '{port}']}}]", NULL);
    char *text = config_declaration_text(&at->config.services[0]);

    (void)state;
    assert_string_equal(
        text,
        "{\"command\":[\"x\",\"{port}\"],\"count\":1,\"driver\":\"process\",\"names\":[\"a\"]}");
    free(text);
    any_config_free(at);
}

static void it_changes_with_driver_count_names_command_image_and_addresses(void **state)
{
    (void)state;
    assert_false(are_equal("{}", "services: [{replicas: {count: 2}}]"));
    assert_false(are_equal("{}", "services: [{replicas: {driver: docker}}]"));
    assert_false(are_equal("{}", "services: [{replicas: {count: 3, names: [x]}}]"));
    assert_false(are_equal("{}", "services: [{replicas: {command: [x]}}]"));
    assert_false(are_equal("services: [{replicas: {driver: docker, image: a}}]",
                           "services: [{replicas: {driver: docker, image: b}}]"));
    assert_false(
        are_equal("services: [{replicas: {driver: static, addresses: {a: '1.1.1.1:1'}}}]",
                  "services: [{replicas: {driver: static, addresses: {a: '1.1.1.1:2'}}}]"));
    assert_false(are_equal("services: [{name: a}, {name: b}]", "services: [{name: b}, {name: a}]"));
}

static void it_does_not_change_with_anything_else(void **state)
{
    (void)state;
    assert_true(are_equal("{}", "services: [{replicas: {count: 3}}]"));
    assert_true(are_equal("{}", "services: [{replicas: {names: [Server 1, Server 2, Server 3]}}]"));
    assert_true(are_equal("{}", "services: [{health: {interval: 9s}, balance: {slots: 256}}]"));
    assert_true(are_equal("{}", "workers: 3\nlisten: [{address: '127.0.0.1:9'}]\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_one_line_of_what_decides_the_replicas),
        cmocka_unit_test(it_changes_with_driver_count_names_command_image_and_addresses),
        cmocka_unit_test(it_does_not_change_with_anything_else),
    };

    return cmocka_run_group_tests_name("config/config_declaration", tests, NULL, NULL);
}
