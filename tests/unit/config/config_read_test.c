#include "any_config.h"

static void the_example_of_the_documentation_is_read_whole(void **state)
{
    struct any_config *at = any_config_fine(
        "listen:\n"
        "  - address: 127.0.0.1:5000\n"
        "    services: [web]\n"
        "control: { address: 127.0.0.1:5001, open: false, hosts: [balancer.example.org] }\n"
        "compat: assignment\n"
        "workers: 2\n"
        "state: /var/lib/roost\n"
        "log: { level: warn, access: /var/log/roost.log, format: json, access-format: logfmt }\n"
        "trusted-proxies: [10.0.0.0/8, '::1']\n"
        "limits: { connections: 20000, replicas: 1024, header-bytes: 16KiB, body-bytes: 1MiB,\n"
        "          header-timeout: 5s, idle-timeout: 60s, buffered-total: 64MiB }\n"
        "services:\n"
        "  - name: web\n"
        "    match: { host: example.org, path: /api }\n"
        "    replicas:\n"
        "      driver: process\n"
        "      count: 3\n"
        "      names: [Web]\n"
        "      command: [./app, --port, \"{port}\"]\n"
        "      env: { KEY: value }\n"
        "      resources: { memory: 256MiB, cpus: 0.5, pids: 128 }\n"
        "      weights: { Server 1: 2 }\n"
        "    balance: { scheme: slot-hrw, key: [\"header:X-Request-ID\", random], slots: 1024,\n"
        "               cap: 2.5%, bound: 1.25, bound-floor: 8 }\n"
        "    health: { path: /healthcheck, interval: 1s, timeout: 100ms, fall: 3, rise: 1,\n"
        "              start: 20s }\n"
        "    timeouts: { connect: 1s, response: 2s, idle: 3s, outbound-idle: 0s, drain: 5s }\n"
        "    retries: { attempts: 1, budget: 10%, body: 0 }\n"
        "    expose-replica: true\n"
        "    hold: 300ms\n",
        NULL);
    const struct config *config = &at->config;
    const struct config_service *service = &config->services[0];

    (void)state;
    any_config_expect_texts(&config->listeners[0].services, ANY_TEXTS("web"));
    any_config_expect_texts(&config->control.hosts, ANY_TEXTS("balancer.example.org"));
    assert_int_equal(config->log.level, LOG_WARN);
    assert_int_equal(config->log.format, LOG_JSON);
    assert_int_equal(config->log.access_format, LOG_LOGFMT);
    assert_string_equal(config->log.access, "/var/log/roost.log");
    assert_int_equal(config->trusted_proxies.count, 2);
    assert_string_equal(config->trusted_proxies.items[0].text, "10.0.0.0/8");
    assert_int_equal(config->trusted_proxies.items[0].range.bits, 104);
    assert_int_equal(config->limits.header_bytes, 16384);
    assert_int_equal(config->limits.body_bytes, 1048576);
    assert_int_equal(config->limits.buffered_total_bytes, 67108864);
    assert_string_equal(service->match.host, "example.org");
    assert_string_equal(service->match.path, "/api");
    any_config_expect_texts(&service->replicas.names, ANY_TEXTS("Web", "Server 1", "Server 2"));
    any_config_expect_texts(&service->replicas.command, ANY_TEXTS("./app", "--port", "{port}"));
    assert_string_equal(service->replicas.env.items[0].name, "KEY");
    assert_string_equal(service->replicas.env.items[0].value, "value");
    assert_int_equal(service->replicas.resources.memory_bytes, 268435456);
    assert_int_equal(service->replicas.resources.cpus_thousandths, 500);
    assert_int_equal(service->replicas.resources.pids, 128);
    assert_string_equal(service->replicas.weights.items[0].name, "Server 1");
    assert_int_equal(service->replicas.weights.items[0].weight, 2);
    assert_int_equal(service->balance.slots, 1024);
    assert_int_equal(service->balance.cap_thousandths, 25);
    assert_int_equal(service->balance.bound_thousandths, 1250);
    assert_int_equal(service->balance.bound_floor, 8);
    assert_int_equal(service->health.fall, 3);
    assert_int_equal(service->timeouts.outbound_idle_ms, 0);
    assert_int_equal(service->retries.attempts, 1);
    assert_int_equal(service->retries.budget_thousandths, 100);
    assert_int_equal(service->retries.body_bytes, 0);
    assert_true(service->expose_replica);
    assert_int_equal(service->hold_ms, 300);
    any_config_free(at);
}

static void what_is_all_commented_out_is_at_its_defaults(void **state)
{
    (void)state;
    struct any_config *at = any_config_fine("listen:\n"
                                            "limits:\n"
                                            "trusted-proxies:\n"
                                            "services:\n"
                                            "  - name: a\n"
                                            "    replicas:\n"
                                            "      names:\n"
                                            "      env:\n"
                                            "    balance:\n"
                                            "      key:\n",
                                            NULL);
    const struct config_service *service = &at->config.services[0];

    assert_int_equal(at->config.service_count, 1);
    assert_int_equal(at->config.limits.connections, 20000);
    assert_int_equal(at->config.trusted_proxies.count, 0);
    assert_int_equal(service->replicas.env.count, 0);
    assert_int_equal(service->balance.key.count, 2);
    any_config_free(at);
    at = any_config_fine("services:\n  # - name: a\n", NULL);
    assert_int_equal(at->config.service_count, 1);
    assert_string_equal(at->config.services[0].name, "web");
    any_config_free(at);
}

static void an_unknown_key_is_an_error_with_the_nearest_one(void **state)
{
    (void)state;
    any_config_expect_error("services:\n  - balance: { slot: 65536 }\n", NULL,
                            "any.yaml:2:16: services[0].balance.slot: this key is not known; did "
                            "you mean \"slots\"?");
    any_config_expect_error("frontend: 1\n", NULL, "any.yaml:1:1: frontend: this key is not known");
    any_config_expect_error("control.open: true\n", NULL,
                            "any.yaml:1:1: control.open: this key is not known");
    any_config_expect_error("'': 1\n", NULL, "any.yaml:1:1: this key is not known");
}

static void a_repeated_key_is_an_error(void **state)
{
    (void)state;
    any_config_expect_error("workers: 1\ncompat: off\nworkers: 2\n", NULL,
                            "any.yaml:3:1: workers: the key is there already, in line 1");
    any_config_expect_error("services: [{replicas: {env: {A: 1,\n B: 2, A: 3}}}]", NULL,
                            "any.yaml:2:8: services[0].replicas.env.A: the key is there already, "
                            "in line 1");
}

static void a_wrong_value_says_what_was_expected_and_found(void **state)
{
    (void)state;
    any_config_expect_error(
        "services:\n  - balance:\n      slots: 7.5\n", NULL,
        "any.yaml:3:14: services[0].balance.slots: expected a whole number from "
        "2 to 1048576, found \"7.5\"");
    any_config_expect_error(
        "limits: {header-bytes: 1}", NULL,
        "any.yaml:1:24: limits.header-bytes: expected a size from 1KiB to 64KiB, "
        "such as 32KiB, found \"1\"");
    any_config_expect_error("services: [{health: {interval: 5}}]", NULL,
                            "any.yaml:1:32: services[0].health.interval: expected a duration from "
                            "10ms to 24h, such as 500ms or 10s, found \"5\"");
    any_config_expect_error(
        "workers:\n", NULL,
        "any.yaml:1:9: workers: expected a whole number from 1 to 256, or auto, "
        "found nothing");
}

static void a_wrong_kind_says_so(void **state)
{
    (void)state;
    any_config_expect_error("- a\n", NULL, "any.yaml:1:1: expected a map, found a list");
    any_config_expect_error("limits: 7\n", NULL,
                            "any.yaml:1:9: limits: expected a map, found a single value");
    any_config_expect_error("services: {name: web}\n", NULL,
                            "any.yaml:1:11: services: expected a list, found a map");
    any_config_expect_error("services: [web]\n", NULL,
                            "any.yaml:1:12: services[0]: expected a map, found a single value");
    any_config_expect_error(
        "services: []\n", NULL,
        "any.yaml:1:11: services: expected a list of 1 to 256 entries, found 0");
    any_config_expect_error("services: [{replicas: {names: Web}}]", NULL,
                            "any.yaml:1:31: services[0].replicas.names: expected a list, found a "
                            "single value");
    any_config_expect_error(
        "services: [{replicas: {env: [A]}}]", NULL,
        "any.yaml:1:29: services[0].replicas.env: expected a map, found a list");
    any_config_expect_error("services: [{replicas: {env: {A: [1]}}}]", NULL,
                            "any.yaml:1:33: services[0].replicas.env.A: expected a single value, "
                            "found a list");
    any_config_expect_error("workers: [1]", NULL,
                            "any.yaml:1:10: workers: expected a whole number from 1 to 256, or "
                            "auto, found a list");
}

static void every_error_is_listed(void **state)
{
    struct any_config *at = any_config_load("workers: none\n"
                                            "compat: yes\n"
                                            "control: {address: [x, '127.0.0.1:1'], opn: 1}\n"
                                            "services: [{name: ' a'}, {balance: {key: []}}]\n",
                                            NULL, NULL);
    static const char *const starts[] = {
        "any.yaml:1:10: workers: ",          "any.yaml:2:9: compat: ",
        "any.yaml:3:21: control.address[0]", "any.yaml:3:40: control.opn: ",
        "any.yaml:4:19: services[0].name: ", "any.yaml:4:42: services[1].balance.key: "};

    (void)state;
    assert_int_equal(at->error, -22);
    assert_int_equal(at->notes.errors, ARRAY_SIZE(starts));
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
        assert_int_equal(strncmp(at->notes.items[i].sentence.text, starts[i], strlen(starts[i])),
                         0);
    assert_non_null(strstr(at->why.text, "(and 5 more)"));
    any_config_free(at);
}

static void errors_are_counted_past_the_list(void **state)
{
    char text[2000] = "services: [{replicas: {env: {";
    struct any_config *at;

    (void)state;
    for (int i = 0; i < 50; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "\"%d\": 1, ", i);
    strcat(text, "}}}]");
    at = any_config_load(text, NULL, NULL);
    assert_int_equal(at->notes.errors, 50);
    assert_int_equal(at->notes.count, CONFIG_NOTES_MAX);
    any_config_free(at);
}

static void a_section_without_keys_is_one_at_its_defaults(void **state)
{
    (void)state;
    any_config_free(any_config_fine("limits:\n#  connections: 5\nworkers: 1\n", NULL));
}

static void a_listener_may_have_every_default(void **state)
{
    struct any_config *at = any_config_fine("listen: [{services: [web]}]", NULL);

    (void)state;
    assert_string_equal(at->config.listeners[0].address, "127.0.0.1:5000");
    any_config_free(at);
}

static void quoted_numbers_are_numbers(void **state)
{
    struct any_config *at = any_config_fine("workers: '3'", NULL);

    (void)state;
    assert_int_equal(at->config.workers, 3);
    any_config_free(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_documentation_is_read_whole),
        cmocka_unit_test(what_is_all_commented_out_is_at_its_defaults),
        cmocka_unit_test(an_unknown_key_is_an_error_with_the_nearest_one),
        cmocka_unit_test(a_repeated_key_is_an_error),
        cmocka_unit_test(a_wrong_value_says_what_was_expected_and_found),
        cmocka_unit_test(a_wrong_kind_says_so),
        cmocka_unit_test(every_error_is_listed),
        cmocka_unit_test(errors_are_counted_past_the_list),
        cmocka_unit_test(a_section_without_keys_is_one_at_its_defaults),
        cmocka_unit_test(a_listener_may_have_every_default),
        cmocka_unit_test(quoted_numbers_are_numbers),
    };

    return cmocka_run_group_tests_name("config/config_read", tests, NULL, NULL);
}
