#include "any_config.h"

#include "config/config_setting.h"

static void every_bare_name_reaches_its_field(void **state)
{
    struct any_config *at = any_config_fine(
        NULL, ANY_ENVIRONMENT("NUM_SERVERS=2", "NUM_SLOTS=1000", "NUM_VIRTUAL_SERVERS=7",
                              "SCHEME=classic", "REQUEST_HASH=md5", "SERVER_HASH=fnv1a",
                              "PORT=6000", "HEARTBEAT_INTERVAL=2"));
    const struct config_service *service = &at->config.services[0];

    (void)state;
    assert_int_equal(service->replicas.count, 2);
    assert_int_equal(service->balance.scheme, CONFIG_SCHEME_CLASSIC);
    assert_int_equal(service->balance.slots, 1000);
    assert_int_equal(service->balance.virtual_servers, 7);
    assert_int_equal(service->balance.request_hash, CONFIG_REQUEST_MD5);
    assert_int_equal(service->balance.server_hash, CONFIG_SERVER_FNV1A);
    assert_int_equal(service->health.interval_ms, 2000);
    assert_string_equal(at->config.listeners[0].address, "127.0.0.1:6000");
    assert_string_equal(at->config.control.addresses.items[0], "127.0.0.1:6001");
    any_config_free(at);
}

static void docker_has_its_own_settings(void **state)
{
    struct any_config *at = any_config_fine(
        NULL, ANY_ENVIRONMENT("DRIVER=docker", "SERVER_IMAGE=app:1", "DOCKER_NETWORK=inner"));

    (void)state;
    assert_int_equal(at->config.services[0].replicas.driver, CONFIG_DRIVER_DOCKER);
    assert_string_equal(at->config.services[0].replicas.image, "app:1");
    assert_string_equal(at->config.services[0].replicas.network, "inner");
    any_config_free(at);
}

static void short_names_work_and_long_ones_win(void **state)
{
    struct any_config *at =
        any_config_fine(NULL, ANY_ENVIRONMENT("N=5", "M=128", "K=4", "SCHEME=classic"));

    (void)state;
    assert_int_equal(at->config.services[0].replicas.count, 5);
    assert_int_equal(at->config.services[0].balance.slots, 128);
    assert_int_equal(at->config.services[0].balance.virtual_servers, 4);
    any_config_free(at);
    at = any_config_fine(NULL, ANY_ENVIRONMENT("N=5", "NUM_SERVERS=6"));
    assert_int_equal(at->config.services[0].replicas.count, 6);
    any_config_free(at);
    at = any_config_fine(NULL, ANY_ENVIRONMENT("ROOST_N=7", "NUM_SERVERS=6"));
    assert_int_equal(at->config.services[0].replicas.count, 7);
    any_config_free(at);
}

/* flag > ROOST_* > file > bare name > default, each taken away in turn. */
static void each_source_wins_over_the_next(void **state)
{
    const char *file = "services: [{replicas: {count: 4}}]";
    char *argv[] = {"roost", "--num-servers", "2", NULL};
    struct config_flags flags;
    struct any_config *at;
    int argc = 3;

    (void)state;
    assert_int_equal(config_flags_parse(&argc, argv, &flags, NULL), 0);
    at = any_config_load(file, ANY_ENVIRONMENT("ROOST_NUM_SERVERS=3", "NUM_SERVERS=5"), &flags);
    assert_int_equal(at->config.services[0].replicas.count, 2);
    any_config_free(at);
    at = any_config_load(file, ANY_ENVIRONMENT("ROOST_NUM_SERVERS=3", "NUM_SERVERS=5"), NULL);
    assert_int_equal(at->config.services[0].replicas.count, 3);
    any_config_free(at);
    at = any_config_load(file, ANY_ENVIRONMENT("NUM_SERVERS=5"), NULL);
    assert_int_equal(at->config.services[0].replicas.count, 4);
    any_config_free(at);
    at = any_config_load("services: [{}]", ANY_ENVIRONMENT("NUM_SERVERS=5"), NULL);
    assert_int_equal(at->config.services[0].replicas.count, 5);
    any_config_free(at);
    at = any_config_load("services: [{}]", NULL, NULL);
    assert_int_equal(at->config.services[0].replicas.count, 3);
    any_config_free(at);
}

static void settings_are_about_the_first_service_alone(void **state)
{
    struct any_config *at =
        any_config_fine("services: [{name: a}, {name: b}]", ANY_ENVIRONMENT("NUM_SERVERS=1"));

    (void)state;
    assert_int_equal(at->config.services[0].replicas.count, 1);
    assert_int_equal(at->config.services[1].replicas.count, 3);
    any_config_free(at);
}

static void a_bad_value_is_one_line_that_names_its_source(void **state)
{
    (void)state;
    any_config_expect_error(NULL, ANY_ENVIRONMENT("NUM_SERVERS=three"),
                            "NUM_SERVERS in the environment: expected a whole number from 0 to "
                            "1000, found \"three\"");
    any_config_expect_error(NULL, ANY_ENVIRONMENT("ROOST_NUM_SERVERS=1001"),
                            "ROOST_NUM_SERVERS in the environment: expected a whole number from 0 "
                            "to 1000, found \"1001\"");
    any_config_expect_error(NULL, ANY_ENVIRONMENT("N=-1"),
                            "N in the environment: expected a whole number from 0 to 1000, found "
                            "\"-1\"");
    any_config_expect_error(NULL, ANY_ENVIRONMENT("SCHEME=clasic"),
                            "SCHEME in the environment: expected one of slot-hrw, ketama, maglev, "
                            "classic, round-robin, least-conn, p2c, found \"clasic\"; did you mean "
                            "\"classic\"?");
    any_config_expect_error(NULL, ANY_ENVIRONMENT("SCHEME=classic", "M=1"),
                            "M in the environment: expected a whole number from 2 to 1048576, "
                            "found \"1\"");
    any_config_expect_error(NULL, ANY_ENVIRONMENT("SCHEME=classic", "M=8", "K=9"),
                            "K in the environment: expected a whole number from 1 to 8, the number "
                            "of slots, found \"9\"");
}

static void what_has_no_effect_is_one_warning(void **state)
{
    (void)state;
    any_config_expect_warning(NULL, ANY_ENVIRONMENT("NUM_SLOTS=512"),
                              "NUM_SLOTS in the environment: has no effect under the scheme "
                              "slot-hrw");
    any_config_expect_warning(NULL, ANY_ENVIRONMENT("K=3"),
                              "K in the environment: has no effect under the scheme slot-hrw");
    any_config_expect_warning(NULL, ANY_ENVIRONMENT("SERVER_IMAGE=x"),
                              "SERVER_IMAGE in the environment: has no effect under the driver "
                              "process");
}

static void num_slots_leaves_slot_hrw_alone(void **state)
{
    struct any_config *at = any_config_load(NULL, ANY_ENVIRONMENT("NUM_SLOTS=1024"), NULL);

    (void)state;
    assert_int_equal(at->config.services[0].balance.slots, 65536);
    any_config_free(at);
}

static void the_heartbeat_interval_is_seconds_or_a_duration(void **state)
{
    static const struct {
        char *variable;
        unsigned ms;
    } cases[] = {
        {"HEARTBEAT_INTERVAL=5", 5000},       {"HEARTBEAT_INTERVAL=0.25", 250},
        {"HEARTBEAT_INTERVAL=750ms", 750},    {"HEARTBEAT_INTERVAL=1m", 60000},
        {"ROOST_HEARTBEAT_INTERVAL=3", 3000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct any_config *at = any_config_fine(NULL, ANY_ENVIRONMENT(cases[i].variable));

        assert_int_equal(at->config.services[0].health.interval_ms, cases[i].ms);
        any_config_free(at);
    }
    any_config_expect_error(NULL, ANY_ENVIRONMENT("HEARTBEAT_INTERVAL=soon"),
                            "HEARTBEAT_INTERVAL in the environment: expected a duration from 10ms "
                            "to 24h, such as 500ms or 10s, found \"soon\"");
}

static void an_empty_variable_is_none(void **state)
{
    struct any_config *at =
        any_config_fine(NULL, ANY_ENVIRONMENT("NUM_SERVERS=", "PORT=", "ROOST_OPEN="));

    (void)state;
    assert_int_equal(at->config.services[0].replicas.count, 3);
    any_config_free(at);
}

static void the_control_port_is_opened_by_a_switch(void **state)
{
    static char *const on[] = {"ROOST_OPEN=1", "ROOST_OPEN=true"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
        struct any_config *at = any_config_fine(NULL, ANY_ENVIRONMENT(on[i]));

        assert_true(at->config.control.is_open);
        any_config_free(at);
    }
    any_config_expect_error(NULL, ANY_ENVIRONMENT("ROOST_OPEN=yes"),
                            "ROOST_OPEN in the environment: expected true or false, found \"yes\"");
}

/* OPEN, STATE, WORKERS and the like are too common to be taken without ROOST_. */
static void common_words_need_the_prefix(void **state)
{
    struct any_config *at =
        any_config_fine(NULL, ANY_ENVIRONMENT("OPEN=1", "WORKERS=x", "CONTROL_TOKEN=t"));

    (void)state;
    assert_false(at->config.control.is_open);
    assert_null(at->config.control.token);
    any_config_free(at);
    at = any_config_fine(NULL, ANY_ENVIRONMENT("ROOST_WORKERS=3", "ROOST_LOG_LEVEL=debug",
                                               "ROOST_ACCESS_LOG=off", "ROOST_STATE=/srv/r"));
    assert_int_equal(at->config.workers, 3);
    assert_int_equal(at->config.log.level, LOG_DEBUG);
    assert_string_equal(at->config.log.access, "off");
    assert_string_equal(at->config.state, "/srv/r");
    any_config_free(at);
}

static void a_bad_token_is_not_repeated(void **state)
{
    struct any_config *at =
        any_config_load(NULL, ANY_ENVIRONMENT("ROOST_CONTROL_TOKEN=very secret"), NULL);

    (void)state;
    assert_true(at->error < 0);
    assert_null(strstr(at->why.text, "secret"));
    any_config_free(at);
}

static void a_name_that_is_nearly_one_of_ours_is_a_warning(void **state)
{
    (void)state;
    any_config_expect_warning(NULL, ANY_ENVIRONMENT("ROOST_NUM_SERVER=4"),
                              "environment: ROOST_NUM_SERVER is not known; did you mean "
                              "ROOST_NUM_SERVERS?");
    any_config_free(any_config_fine(NULL, ANY_ENVIRONMENT("ROOST_SOMETHING_ELSE=4", "ROOST_M=")));
}

static void tokens_are_visible_ascii(void **state)
{
    char long_one[CONFIG_TOKEN_BYTES_MAX + 2];

    (void)state;
    assert_true(config_setting_is_token("s3cret-~!"));
    assert_false(config_setting_is_token(""));
    assert_false(config_setting_is_token("two words"));
    assert_false(config_setting_is_token("line\n"));
    assert_false(config_setting_is_token("caf\xc3\xa9"));
    memset(long_one, 'x', sizeof(long_one));
    long_one[CONFIG_TOKEN_BYTES_MAX] = '\0';
    assert_true(config_setting_is_token(long_one));
    long_one[CONFIG_TOKEN_BYTES_MAX] = 'x';
    long_one[CONFIG_TOKEN_BYTES_MAX + 1] = '\0';
    assert_false(config_setting_is_token(long_one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bare_name_reaches_its_field),
        cmocka_unit_test(docker_has_its_own_settings),
        cmocka_unit_test(short_names_work_and_long_ones_win),
        cmocka_unit_test(each_source_wins_over_the_next),
        cmocka_unit_test(settings_are_about_the_first_service_alone),
        cmocka_unit_test(a_bad_value_is_one_line_that_names_its_source),
        cmocka_unit_test(what_has_no_effect_is_one_warning),
        cmocka_unit_test(num_slots_leaves_slot_hrw_alone),
        cmocka_unit_test(the_heartbeat_interval_is_seconds_or_a_duration),
        cmocka_unit_test(an_empty_variable_is_none),
        cmocka_unit_test(the_control_port_is_opened_by_a_switch),
        cmocka_unit_test(common_words_need_the_prefix),
        cmocka_unit_test(a_bad_token_is_not_repeated),
        cmocka_unit_test(a_name_that_is_nearly_one_of_ours_is_a_warning),
        cmocka_unit_test(tokens_are_visible_ascii),
    };

    return cmocka_run_group_tests_name("config/config_setting", tests, NULL, NULL);
}
