#include "any_config.h"

#include <errno.h>

#include "config/config_setting.h"

static void flags_are_taken_out_and_the_rest_stays_in_order(void **state)
{
    char *argv[] = {"serve",      "one",     "--port",           "80", "--print",  "-c",
                    "roost.yaml", "--reset", "--leave-replicas", "--", "--port=1", NULL};
    struct config_flags flags;
    int argc = 11;

    (void)state;
    assert_int_equal(config_flags_parse(&argc, argv, &flags, NULL), 0);
    assert_int_equal(argc, 5);
    assert_string_equal(argv[0], "serve");
    assert_string_equal(argv[1], "one");
    assert_string_equal(argv[2], "--print");
    assert_string_equal(argv[3], "--");
    assert_string_equal(argv[4], "--port=1");
    assert_null(argv[5]);
    assert_string_equal(flags.file, "roost.yaml");
    assert_true(flags.is_reset);
    assert_true(flags.leaves_replicas);
}

static void both_notations_mean_the_same(void **state)
{
    char *apart[] = {"x", "--port", "8080", NULL};
    char *together[] = {"x", "--port=8080", NULL};
    struct config_flags flags;
    struct any_config *at;
    int argc = 3;

    (void)state;
    assert_int_equal(config_flags_parse(&argc, apart, &flags, NULL), 0);
    at = any_config_load(NULL, NULL, &flags);
    assert_string_equal(at->config.listeners[0].address, "127.0.0.1:8080");
    any_config_free(at);
    argc = 2;
    assert_int_equal(config_flags_parse(&argc, together, &flags, NULL), 0);
    at = any_config_load(NULL, NULL, &flags);
    assert_string_equal(at->config.listeners[0].address, "127.0.0.1:8080");
    any_config_free(at);
}

static void the_last_of_two_wins(void **state)
{
    char *argv[] = {"x", "--num-servers", "1", "--num-servers=2", NULL};
    struct config_flags flags;
    struct any_config *at;
    int argc = 4;

    (void)state;
    assert_int_equal(config_flags_parse(&argc, argv, &flags, NULL), 0);
    at = any_config_load(NULL, NULL, &flags);
    assert_int_equal(at->config.services[0].replicas.count, 2);
    any_config_free(at);
}

static void a_switch_needs_no_value(void **state)
{
    char *argv[] = {"x", "--open", "next", NULL};
    struct config_flags flags;
    struct any_config *at;
    int argc = 3;

    (void)state;
    assert_int_equal(config_flags_parse(&argc, argv, &flags, NULL), 0);
    assert_int_equal(argc, 2);
    at = any_config_load(NULL, NULL, &flags);
    assert_true(at->config.control.is_open);
    any_config_free(at);
}

static void a_missing_value_is_said(void **state)
{
    char *argv[] = {"x", "--port", NULL};
    struct config_flags flags = {.file = "kept"};
    struct error why;
    int argc = 2;

    (void)state;
    assert_int_equal(config_flags_parse(&argc, argv, &flags, &why), -EINVAL);
    assert_string_equal(why.text, "--port needs a value");
    assert_string_equal(flags.file, "kept");
}

static void a_flags_bad_value_names_the_flag(void **state)
{
    char *argv[] = {"x", "--port", "http", NULL};
    struct config_flags flags;
    struct any_config *at;
    int argc = 3;

    (void)state;
    assert_int_equal(config_flags_parse(&argc, argv, &flags, NULL), 0);
    at = any_config_load(NULL, NULL, &flags);
    assert_string_equal(at->why.text,
                        "--port: expected a whole number from 1 to 65535, found \"http\"");
    any_config_free(at);
}

static void every_bare_name_has_a_flag(void **state)
{
    static const char *const names[] = {
        "num-servers",  "num-slots",      "num-virtual-servers", "scheme", "request-hash",
        "server-hash",  "port",           "control-port",        "listen", "driver",
        "server-image", "docker-network", "heartbeat-interval"};
    char *help = config_flags_help();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char flag[64];

        snprintf(flag, sizeof(flag), "--%s ", names[i]);
        assert_non_null(strstr(help, flag));
    }
    for (unsigned i = 0; i < config_setting_count; i++)
        assert_true(!config_settings[i].has_bare_name || config_settings[i].flag);
    assert_null(strstr(help, "token"));
    free(help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_taken_out_and_the_rest_stays_in_order),
        cmocka_unit_test(both_notations_mean_the_same),
        cmocka_unit_test(the_last_of_two_wins),
        cmocka_unit_test(a_switch_needs_no_value),
        cmocka_unit_test(a_missing_value_is_said),
        cmocka_unit_test(a_flags_bad_value_names_the_flag),
        cmocka_unit_test(every_bare_name_has_a_flag),
    };

    return cmocka_run_group_tests_name("config/config_flags", tests, NULL, NULL);
}
