#include "any_config.h"

#include <errno.h>
#include <unistd.h>

static void the_embedded_default_is_three_processes_on_port_5000(void **state)
{
    struct any_config *at = any_config_fine(NULL, NULL);
    const struct config *config = &at->config;
    const struct config_service *service = &config->services[0];

    (void)state;
    assert_null(config->file);
    assert_int_equal(config->compat, TABLE_COMPAT_ASSIGNMENT);
    assert_int_equal(config->service_count, 1);
    assert_string_equal(service->name, "web");
    assert_int_equal(service->replicas.driver, CONFIG_DRIVER_PROCESS);
    assert_int_equal(service->replicas.count, 3);
    any_config_expect_texts(&service->replicas.names,
                            ANY_TEXTS("Server 1", "Server 2", "Server 3"));
    assert_int_equal(service->replicas.command.count, 0);
    assert_string_equal(config->listeners[0].address, "127.0.0.1:5000");
    assert_string_equal(config->control.addresses.items[0], "127.0.0.1:5001");
    assert_int_equal(config->listener_count, config->control.addresses.count);
    if (config->listener_count == 2) {
        assert_string_equal(config->listeners[1].address, "[::1]:5000");
        assert_string_equal(config->control.addresses.items[1], "[::1]:5001");
    }
    assert_null(config->control.token);
    assert_false(config->control.is_open);
    any_config_free(at);
}

static void defaults_are_those_of_the_contract(void **state)
{
    struct any_config *at = any_config_fine(NULL, NULL);
    const struct config *config = &at->config;
    const struct config_service *service = &config->services[0];

    (void)state;
    assert_int_equal(config->workers, 0);
    assert_int_equal(config->limits.connections, 20000);
    assert_int_equal(config->limits.replicas, 1024);
    assert_int_equal(config->limits.header_bytes, 32768);
    assert_true(config->limits.body_bytes == CONFIG_UNLIMITED);
    assert_int_equal(config->limits.header_timeout_ms, 10000);
    assert_int_equal(config->limits.idle_timeout_ms, 60000);
    assert_int_equal(config->limits.buffered_total_bytes, 0);
    assert_int_equal(service->balance.scheme, CONFIG_SCHEME_SLOT_HRW);
    assert_int_equal(service->balance.slots, 65536);
    assert_int_equal(service->balance.cap_thousandths, 50);
    assert_int_equal(service->balance.bound_thousandths, CONFIG_OFF);
    assert_int_equal(service->balance.bound_floor, 16);
    assert_int_equal(service->balance.key.count, 2);
    assert_int_equal(service->balance.key.items[0].kind, TABLE_KEY_HEADER);
    assert_string_equal(service->balance.key.items[0].text, "X-Request-ID");
    assert_int_equal(service->balance.key.items[1].kind, TABLE_KEY_RANDOM);
    assert_string_equal(service->health.path, "/heartbeat");
    assert_int_equal(service->health.interval_ms, 500);
    assert_int_equal(service->health.timeout_ms, 200);
    assert_int_equal(service->health.fall, 2);
    assert_int_equal(service->health.rise, 2);
    assert_int_equal(service->health.start_ms, 10000);
    assert_int_equal(service->timeouts.connect_ms, 500);
    assert_int_equal(service->timeouts.response_ms, 30000);
    assert_int_equal(service->timeouts.idle_ms, 60000);
    assert_int_equal(service->timeouts.outbound_idle_ms, 4000);
    assert_int_equal(service->timeouts.drain_ms, 10000);
    assert_int_equal(service->retries.attempts, 3);
    assert_int_equal(service->retries.budget_thousandths, 200);
    assert_int_equal(service->retries.body_bytes, 65536);
    assert_false(service->expose_replica);
    assert_int_equal(service->hold_ms, 0);
    any_config_free(at);
}

static void a_file_turns_compat_off_unless_it_says_otherwise(void **state)
{
    struct any_config *at = any_config_fine("workers: 2\n", NULL);

    (void)state;
    assert_int_equal(at->config.compat, TABLE_COMPAT_OFF);
    assert_int_equal(at->config.workers, 2);
    assert_string_equal(at->config.file, "any.yaml");
    any_config_free(at);
    at = any_config_fine("compat: api\n", NULL);
    assert_int_equal(at->config.compat, TABLE_COMPAT_API);
    any_config_free(at);
}

static void an_empty_file_is_every_default(void **state)
{
    static const char *const texts[] = {"", "# nothing\n", "---\n", "{}", "services:\n- {}\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct any_config *at = any_config_fine(texts[i], NULL);

        assert_int_equal(at->config.services[0].replicas.count, 3);
        any_config_free(at);
    }
}

static void json_is_the_same_shape(void **state)
{
    struct config config;
    struct error why;

    (void)state;
    assert_int_equal(
        config_load_text(&config, "body",
                         VIEW("{\"services\":[{\"name\":\"api\",\"balance\":{\"slots\":"
                              "1024,\"bound\":1.25},\"expose-replica\":true}]}"),
                         true, NULL, any_config_home, NULL, &why),
        0);
    assert_string_equal(config.services[0].name, "api");
    assert_int_equal(config.services[0].balance.slots, 1024);
    assert_int_equal(config.services[0].balance.bound_thousandths, 1250);
    assert_true(config.services[0].expose_replica);
    config_finish(&config);
    assert_int_equal(config_load_text(&config, "body", VIEW("{\"services\":[{\"nam\":\"api\"}]}"),
                                      true, NULL, any_config_home, NULL, &why),
                     -EINVAL);
    assert_string_equal(why.text,
                        "body: services[0].nam: this key is not known; did you mean \"name\"?");
}

static void a_failure_leaves_the_configuration_untouched(void **state)
{
    struct config config;
    struct config before;
    struct error why;

    (void)state;
    memset(&config, 0x5a, sizeof(config));
    before = config;
    assert_true(config_load_text(&config, "x", VIEW("workers: none"), false, NULL, any_config_home,
                                 NULL, &why) < 0);
    assert_memory_equal(&config, &before, sizeof(config));
}

static void files_are_told_apart_by_their_end(void **state)
{
    char path[] = "/tmp/roost-config-XXXXXX.json";
    struct config config;
    struct error why;
    int fd = mkstemps(path, 5);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "workers: 3\n", 11), 11);
    close(fd);
    assert_int_equal(config_load(&config, path, NULL, any_config_home, NULL, &why), -EINVAL);
    unlink(path);
    assert_int_equal(config_load(&config, path, NULL, any_config_home, NULL, &why), -ENOENT);
    assert_non_null(strstr(why.text, "No such file or directory"));
}

static void words_come_from_the_table(void **state)
{
    (void)state;
    assert_string_equal(config_compat_name(TABLE_COMPAT_OFF), "off");
    assert_string_equal(config_compat_name(TABLE_COMPAT_API), "api");
    assert_string_equal(config_compat_name(TABLE_COMPAT_ASSIGNMENT), "assignment");
    assert_string_equal(config_driver_name(CONFIG_DRIVER_STATIC), "static");
    assert_string_equal(config_scheme_name(CONFIG_SCHEME_SLOT_HRW), "slot-hrw");
    assert_string_equal(config_scheme_name(CONFIG_SCHEME_CLASSIC), "classic");
    assert_string_equal(config_scheme_name(CONFIG_SCHEME_P2C), "p2c");
    assert_string_equal(config_request_hash_name(CONFIG_REQUEST_QUADRATIC_172), "quadratic-172");
    assert_string_equal(config_request_hash_name(CONFIG_REQUEST_MULTIPLY), "multiply");
    assert_string_equal(config_server_hash_name(CONFIG_SERVER_MIXED), "mixed");
    assert_string_equal(config_server_hash_name(CONFIG_SERVER_MULTIPLY), "multiply");
}

/* Every word of ours must be one of the library that places. */
static void every_scheme_is_one_that_balance_knows(void **state)
{
    (void)state;
    for (enum config_scheme ours = 0; ours <= CONFIG_SCHEME_P2C; ours++) {
        bool is_known = false;

        for (unsigned i = 0; balance_scheme_name(i); i++)
            is_known |= strcmp(balance_scheme_name(i), config_scheme_name(ours)) == 0;
        if (!is_known)
            print_message("balance/ does not know %s\n", config_scheme_name(ours));
        assert_true(is_known);
    }
}

static void finishing_twice_is_harmless(void **state)
{
    struct config config;

    (void)state;
    assert_int_equal(config_load(&config, NULL, NULL, any_config_home, NULL, NULL), 0);
    config_finish(&config);
    config_finish(&config);
    assert_int_equal(config.service_count, 0);
}

static void defaults_alone_have_no_service(void **state)
{
    struct config config;

    (void)state;
    config_init_default(&config);
    assert_int_equal(config.service_count, 0);
    assert_int_equal(config.limits.connections, 20000);
    assert_string_equal(config.log.access, "stdout");
    config_finish(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_embedded_default_is_three_processes_on_port_5000),
        cmocka_unit_test(defaults_are_those_of_the_contract),
        cmocka_unit_test(a_file_turns_compat_off_unless_it_says_otherwise),
        cmocka_unit_test(an_empty_file_is_every_default),
        cmocka_unit_test(json_is_the_same_shape),
        cmocka_unit_test(a_failure_leaves_the_configuration_untouched),
        cmocka_unit_test(files_are_told_apart_by_their_end),
        cmocka_unit_test(words_come_from_the_table),
        cmocka_unit_test(every_scheme_is_one_that_balance_knows),
        cmocka_unit_test(finishing_twice_is_harmless),
        cmocka_unit_test(defaults_alone_have_no_service),
    };

    return cmocka_run_group_tests_name("config/config", tests, NULL, NULL);
}
