#include "any_config.h"

#include "config/config_listen.h"

static void expect_listeners(const struct config *config, const char *const *expected)
{
    struct config_texts texts = {.count = config->listener_count};
    char *items[CONFIG_LISTENERS_MAX];

    for (unsigned i = 0; i < config->listener_count; i++)
        items[i] = config->listeners[i].address;
    texts.items = items;
    any_config_expect_texts(&texts, expected);
}

static void listen_takes_addresses_with_and_without_a_port(void **state)
{
    struct any_config *at =
        any_config_fine(NULL, ANY_ENVIRONMENT("LISTEN=0.0.0.0, 127.0.0.1:81 ,::,[::1],[::1]:82",
                                              "PORT=80", "CONTROL_PORT=90"));

    (void)state;
    expect_listeners(&at->config,
                     ANY_TEXTS("0.0.0.0:80", "127.0.0.1:81", "[::]:80", "[::1]:80", "[::1]:82"));
    assert_string_equal(at->config.control.addresses.items[0], "127.0.0.1:90");
    any_config_free(at);
}

static void a_bad_listen_is_refused(void **state)
{
    static const char *const bad[] = {"example", "1.2.3", "127.0.0.1:0", "[::1]:x", "::1:2:"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char variable[64];
        char sentence[256];

        snprintf(variable, sizeof(variable), "LISTEN=%s", bad[i]);
        snprintf(sentence, sizeof(sentence),
                 "LISTEN in the environment: expected IP:PORT, such as 127.0.0.1:5000 or "
                 "[::1]:5000, found \"%s\"",
                 bad[i]);
        any_config_expect_error(NULL, ANY_ENVIRONMENT(variable), sentence);
    }
}

static void a_bare_listen_yields_to_the_file(void **state)
{
    const char *file = "listen: [{address: '127.0.0.1:7000', services: [web]}]";
    struct any_config *at = any_config_fine(file, ANY_ENVIRONMENT("LISTEN=0.0.0.0", "PORT=1"));

    (void)state;
    expect_listeners(&at->config, ANY_TEXTS("127.0.0.1:7000"));
    assert_string_equal(at->config.control.addresses.items[0], "127.0.0.1:7001");
    any_config_free(at);
    at = any_config_fine(file, ANY_ENVIRONMENT("ROOST_LISTEN=0.0.0.0"));
    expect_listeners(&at->config, ANY_TEXTS("0.0.0.0:5000"));
    assert_int_equal(at->config.listeners[0].services.count, 0);
    any_config_free(at);
}

static void a_strong_port_changes_every_address_of_the_file(void **state)
{
    const char *file = "listen: [{address: '127.0.0.1:7000', services: [web]}, "
                       "{address: '[::1]:7000'}]";
    struct any_config *at = any_config_fine(file, ANY_ENVIRONMENT("ROOST_PORT=8000"));

    (void)state;
    expect_listeners(&at->config, ANY_TEXTS("127.0.0.1:8000", "[::1]:8000"));
    assert_int_equal(at->config.listeners[0].services.count, 1);
    assert_string_equal(at->config.control.addresses.items[0], "127.0.0.1:8001");
    any_config_free(at);
    any_config_expect_error("listen: [{address: '127.0.0.1:1'}, {address: '127.0.0.1:2'}]",
                            ANY_ENVIRONMENT("ROOST_PORT=8000"),
                            "ROOST_PORT in the environment: the addresses under `listen` have "
                            "different ports: which one to change is not clear; set LISTEN "
                            "instead");
}

static void the_control_port_may_stand_alone(void **state)
{
    struct any_config *at = any_config_fine(NULL, ANY_ENVIRONMENT("CONTROL_PORT=9000"));

    (void)state;
    assert_string_equal(at->config.listeners[0].address, "127.0.0.1:5000");
    assert_string_equal(at->config.control.addresses.items[0], "127.0.0.1:9000");
    any_config_free(at);
    at = any_config_fine("control: {address: ['127.0.0.1:1', /run/c.sock]}",
                         ANY_ENVIRONMENT("ROOST_CONTROL_PORT=9000"));
    any_config_expect_texts(&at->config.control.addresses,
                            ANY_TEXTS("127.0.0.1:9000", "unix:/run/c.sock"));
    any_config_free(at);
    at = any_config_fine("control: {address: '127.0.0.1:1'}", ANY_ENVIRONMENT("CONTROL_PORT=9000"));
    any_config_expect_texts(&at->config.control.addresses, ANY_TEXTS("127.0.0.1:1"));
    any_config_free(at);
}

static void there_is_no_port_after_the_last(void **state)
{
    (void)state;
    any_config_expect_error(NULL, ANY_ENVIRONMENT("PORT=65535"),
                            "the embedded default: control.address: there is no port after 65535; "
                            "set CONTROL_PORT");
    any_config_free(any_config_fine(NULL, ANY_ENVIRONMENT("PORT=65535", "CONTROL_PORT=1")));
}

static void off_loopback_the_control_port_needs_a_token(void **state)
{
    struct any_config *at;

    (void)state;
    any_config_expect_error("control: {address: '0.0.0.0:5001'}", NULL,
                            "any.yaml:1:20: control.address: 0.0.0.0:5001 is reached from other "
                            "machines, so a token is required: set control.token-file or "
                            "ROOST_CONTROL_TOKEN");
    any_config_expect_error("control: {address: ['127.0.0.1:5001', '[::]:5001'], open: true}", NULL,
                            "any.yaml:1:20: control.address: [::]:5001 is reached from other "
                            "machines, so a token is required: set control.token-file or "
                            "ROOST_CONTROL_TOKEN");
    any_config_expect_error("control: {address: '127.0.0.1:5001'}",
                            (char *[]){"HOME=/home/any", "ROOST_CONTROL_LISTEN=0.0.0.0:7", NULL},
                            "ROOST_CONTROL_LISTEN in the environment: 0.0.0.0:7 is reached from "
                            "other machines, so a token is required: set control.token-file or "
                            "ROOST_CONTROL_TOKEN");
    at = any_config_fine("control: {address: '0.0.0.0:5001'}",
                         ANY_ENVIRONMENT("ROOST_CONTROL_TOKEN=abc"));
    assert_string_equal(at->config.control.token, "abc");
    any_config_free(at);
    any_config_free(any_config_fine("control: {address: /run/roost/c.sock}", NULL));
    any_config_free(any_config_fine("control: {address: '127.9.9.9:5001'}", NULL));
}

static void one_address_cannot_be_both(void **state)
{
    (void)state;
    any_config_expect_error("listen: [{address: '127.0.0.1:9'}]\n"
                            "control: {address: '127.0.0.1:9'}",
                            NULL,
                            "any.yaml:1:20: listen[0].address: 127.0.0.1:9 is the control API's "
                            "address too; it needs its own");
    any_config_expect_error("listen: [{address: '127.0.0.1:9'}, {address: '127.0.0.1:9'}]", NULL,
                            "any.yaml:1:46: listen[1].address: 127.0.0.1:9 is there already");
}

static void loopback_is_told_from_the_rest(void **state)
{
    (void)state;
    assert_true(config_listen_is_local("127.0.0.1:1"));
    assert_true(config_listen_is_local("[::1]:1"));
    assert_true(config_listen_is_local("unix:/x"));
    assert_false(config_listen_is_local("0.0.0.0:1"));
    assert_false(config_listen_is_local("[::]:1"));
    assert_false(config_listen_is_local("10.0.0.1:1"));
    assert_int_equal(config_listen_port("[::1]:77"), 77);
    assert_int_equal(config_listen_port("unix:/x"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listen_takes_addresses_with_and_without_a_port),
        cmocka_unit_test(a_bad_listen_is_refused),
        cmocka_unit_test(a_bare_listen_yields_to_the_file),
        cmocka_unit_test(a_strong_port_changes_every_address_of_the_file),
        cmocka_unit_test(the_control_port_may_stand_alone),
        cmocka_unit_test(there_is_no_port_after_the_last),
        cmocka_unit_test(off_loopback_the_control_port_needs_a_token),
        cmocka_unit_test(one_address_cannot_be_both),
        cmocka_unit_test(loopback_is_told_from_the_rest),
    };

    return cmocka_run_group_tests_name("config/config_listen", tests, NULL, NULL);
}
