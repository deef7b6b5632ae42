#include "any_config.h"

#include <sys/stat.h>
#include <unistd.h>

static void names_are_filled_up_with_server_k(void **state)
{
    struct any_config *at =
        any_config_fine("services: [{replicas: {count: 4, names: [Server 2, Web]}}]", NULL);

    (void)state;
    any_config_expect_texts(&at->config.services[0].replicas.names,
                            ANY_TEXTS("Server 2", "Web", "Server 1", "Server 3"));
    any_config_free(at);
}

static void the_count_is_the_number_of_names_where_nobody_says(void **state)
{
    struct any_config *at = any_config_fine("services: [{replicas: {names: [a, b]}}]", NULL);

    (void)state;
    assert_int_equal(at->config.services[0].replicas.count, 2);
    any_config_free(at);
    at = any_config_fine("services: [{replicas: {names: [a, b]}}]",
                         ANY_ENVIRONMENT("NUM_SERVERS=3"));
    any_config_expect_texts(&at->config.services[0].replicas.names,
                            ANY_TEXTS("a", "b", "Server 1"));
    any_config_free(at);
}

static void none_is_a_legal_count(void **state)
{
    struct any_config *at = any_config_fine(NULL, ANY_ENVIRONMENT("NUM_SERVERS=0"));

    (void)state;
    assert_int_equal(at->config.services[0].replicas.count, 0);
    assert_int_equal(at->config.services[0].replicas.names.count, 0);
    any_config_free(at);
}

static void more_names_than_replicas_are_an_error(void **state)
{
    (void)state;
    any_config_expect_error("services: [{replicas: {count: 1, names: [a, b]}}]", NULL,
                            "any.yaml:1:31: services[0].replicas.count: there are more names (2) "
                            "than replicas (1)");
    any_config_expect_error("services: [{replicas: {names: [a, b]}}]",
                            ANY_ENVIRONMENT("NUM_SERVERS=1"),
                            "NUM_SERVERS in the environment: there are more names (2) than "
                            "replicas (1)");
}

static void names_are_there_once(void **state)
{
    (void)state;
    any_config_expect_error("services: [{replicas: {names: [a, b, a]}}]", NULL,
                            "any.yaml:1:38: services[0].replicas.names[2]: the name \"a\" is there "
                            "already");
    any_config_expect_error("services: [{name: a}, {name: a}]", NULL,
                            "any.yaml:1:30: services[1].name: the name \"a\" is there already");
}

static void static_replicas_are_those_of_the_addresses(void **state)
{
    struct any_config *at = any_config_fine(
        "services: [{replicas: {driver: static, addresses: {b: '10.0.0.1:80', a: '[::1]:81'}}}]",
        NULL);
    const struct config_replicas *replicas = &at->config.services[0].replicas;

    (void)state;
    any_config_expect_texts(&replicas->names, ANY_TEXTS("b", "a"));
    assert_int_equal(replicas->count, 2);
    assert_string_equal(replicas->addresses.items[1].value, "[::1]:81");
    any_config_free(at);
    any_config_expect_error("services: [{replicas: {driver: static}}]", NULL,
                            "any.yaml: services[0].replicas.addresses: the driver static needs at "
                            "least one address");
}

static void host_names_are_no_replicas_yet(void **state)
{
    struct any_config *at =
        any_config_fine("services: [{replicas: {driver: static, addresses: {h: 'app.test:80', b: "
                        "'10.0.0.1:80', h-10.0.0.1: 'b.test:80'}}}]",
                        NULL);
    const struct config_replicas *replicas = &at->config.services[0].replicas;

    (void)state;
    any_config_expect_texts(&replicas->names, ANY_TEXTS("b"));
    assert_int_equal(replicas->count, 1);
    assert_int_equal(replicas->addresses.count, 3);
    any_config_free(at);
    any_config_free(any_config_fine(
        "services: [{replicas: {driver: static, addresses: {h: 'app.test:80'}}}]", NULL));
}

static void names_that_replicas_of_a_host_name_could_have_are_refused(void **state)
{
    (void)state;
    any_config_expect_error(
        "services: [{replicas: {driver: static, addresses: {h: 'app.test:80', h-10.0.0.1: "
        "'10.0.0.1:80'}}}]",
        NULL,
        "any.yaml:1:51: services[0].replicas.addresses: \"h-10.0.0.1\" is what a replica of \"h\" "
        "could be called: choose another name");
    any_config_expect_error(
        "services: [{replicas: {driver: static, addresses: {a123456789a123456789a123: "
        "'app.test:80'}}}]",
        NULL,
        "any.yaml:1:51: services[0].replicas.addresses: the name \"a123456789a123456789a123\" has "
        "more than 23 characters: the replicas of a host name are called NAME-IP");
}

static void the_number_of_slots_follows_the_scheme(void **state)
{
    static const struct {
        const char *text;
        unsigned slots;
        unsigned virtual_servers;
    } cases[] = {
        {"services: [{balance: {scheme: slot-hrw}}]", 65536, 0},
        {"services: [{balance: {scheme: classic}}]", 512, 9},
        {"services: [{balance: {scheme: classic, slots: 1000}}]", 1000, 9},
        {"services: [{balance: {scheme: classic, slots: 1024}}]", 1024, 10},
        {"services: [{balance: {scheme: classic, slots: 64, virtual: 2}}]", 64, 2},
        {"services: [{balance: {scheme: maglev}}]", 65537, 0},
        {"services: [{balance: {scheme: ketama}}]", 0, 0},
        {"services: [{balance: {scheme: p2c}}]", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct any_config *at = any_config_fine(cases[i].text, NULL);

        assert_int_equal(at->config.services[0].balance.slots, cases[i].slots);
        assert_int_equal(at->config.services[0].balance.virtual_servers, cases[i].virtual_servers);
        any_config_free(at);
    }
}

static void slots_of_slot_hrw_are_a_power_of_two(void **state)
{
    (void)state;
    any_config_expect_error(
        "services: [{balance: {slots: 7}}]", NULL,
        "any.yaml:1:30: services[0].balance.slots: expected a power of two from "
        "256 to 1048576, found \"7\"");
    any_config_expect_error(
        "services: [{balance: {slots: 100000}}]", NULL,
        "any.yaml:1:30: services[0].balance.slots: expected a power of two from "
        "256 to 1048576, found \"100000\"");
}

static void a_ring_that_is_too_small_is_an_error(void **state)
{
    (void)state;
    any_config_expect_error(
        "services: [{balance: {scheme: classic, slots: 26, virtual: 9}}]", NULL,
        "any.yaml:1:60: services[0].balance.virtual: 3 replicas with 9 virtual servers each need "
        "27 slots, the ring has 26");
    any_config_free(
        any_config_fine("services: [{balance: {scheme: classic, slots: 27, virtual: 9}}]", NULL));
}

static void more_slots_are_advised_for_many_replicas(void **state)
{
    (void)state;
    any_config_free(any_config_fine(NULL, ANY_ENVIRONMENT("NUM_SERVERS=100")));
    any_config_expect_warning(NULL, ANY_ENVIRONMENT("NUM_SERVERS=101"),
                              "the embedded default: services[0].balance.slots: for 101 replicas "
                              "262144 slots are advised, here are 65536");
    any_config_expect_warning("services: [{replicas: {count: 301}, balance: {slots: 262144}}]",
                              NULL,
                              "any.yaml:1:54: services[0].balance.slots: for 301 replicas 1048576 "
                              "slots are advised, here are 262144");
}

static void random_keys_are_six_digits_in_classic(void **state)
{
    struct any_config *at = any_config_fine(NULL, ANY_ENVIRONMENT("SCHEME=classic"));

    (void)state;
    assert_int_equal(at->config.services[0].balance.key.items[1].number, 6);
    any_config_free(at);
    at = any_config_fine(NULL, NULL);
    assert_int_equal(at->config.services[0].balance.key.items[1].number, 0);
    any_config_free(at);
}

static void what_has_no_effect_is_a_warning_and_changes_nothing(void **state)
{
    struct any_config *at;

    (void)state;
    any_config_expect_warning("services: [{balance: {virtual: 3}}]", NULL,
                              "any.yaml:1:32: services[0].balance.virtual: has no effect under the "
                              "scheme slot-hrw");
    any_config_expect_warning("services: [{replicas: {image: x}}]", NULL,
                              "any.yaml:1:31: services[0].replicas.image: has no effect under the "
                              "driver process");
    at = any_config_load("services: [{balance: {virtual: 3}, replicas: {image: x}}]", NULL, NULL);
    assert_int_equal(at->config.services[0].balance.virtual_servers, 0);
    assert_string_equal(at->config.services[0].replicas.image, "roost");
    any_config_free(at);
}

static void all_services_share_the_limit_of_replicas(void **state)
{
    (void)state;
    any_config_expect_error("limits: {replicas: 5}\nservices: [{name: a}, {name: b}]\n", NULL,
                            "any.yaml:1:20: limits.replicas: 5, but the services have 6 replicas "
                            "together");
}

static void a_listener_names_services_that_are_there(void **state)
{
    (void)state;
    any_config_expect_error("listen: [{services: [web, wbe]}]", NULL,
                            "any.yaml:1:27: listen[0].services[1]: there is no service \"wbe\"");
}

static void the_state_is_kept_where_the_user_keeps_states(void **state)
{
    struct any_config *at =
        any_config_fine(NULL, (char *const[]){"XDG_STATE_HOME=/x", "HOME=/h", NULL});

    (void)state;
    if (geteuid() == 0)
        assert_string_equal(at->config.state, "/var/lib/roost");
    else
        assert_string_equal(at->config.state, "/x/roost");
    any_config_free(at);
    if (geteuid() == 0)
        return;
    at = any_config_fine(NULL, (char *const[]){"XDG_STATE_HOME=x", "HOME=/h", NULL});
    assert_string_equal(at->config.state, "/h/.local/state/roost");
    any_config_free(at);
    any_config_expect_error(NULL, (char *const[]){"A=b", NULL},
                            "the embedded default: state: there is no $HOME to keep it in; set "
                            "--state DIR");
}

static void write_token(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void the_token_is_the_first_line_of_its_file(void **state)
{
    char path[] = "/tmp/roost-token-XXXXXX";
    char text[200];
    char sentence[400];
    struct any_config *at;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    snprintf(text, sizeof(text), "control: {token-file: %s}", path);
    write_token(path, "s3cret\r\nmore\n", 0600);
    at = any_config_fine(text, NULL);
    assert_string_equal(at->config.control.token, "s3cret");
    any_config_free(at);
    at = any_config_fine(text, ANY_ENVIRONMENT("ROOST_CONTROL_TOKEN=other"));
    assert_string_equal(at->config.control.token, "other");
    any_config_free(at);
    write_token(path, "s3cret", 0644);
    snprintf(sentence, sizeof(sentence),
             "any.yaml:1:23: control.token-file: everybody on this machine may read %s; chmod 600 "
             "is better",
             path);
    any_config_expect_warning(text, NULL, sentence);
    write_token(path, "\n", 0600);
    any_config_expect_error(text, NULL,
                            "any.yaml:1:23: control.token-file: expected a first line of 1 to 512 "
                            "visible ASCII characters");
    unlink(path);
    snprintf(sentence, sizeof(sentence),
             "any.yaml:1:23: control.token-file: %s: No such file or directory", path);
    any_config_expect_error(text, NULL, sentence);
}

static void the_longest_ejection_is_no_shorter_than_the_first(void **state)
{
    (void)state;
    any_config_expect_error("services: [{outlier: {base: 2s, most: 1s}}]", NULL,
                            "any.yaml:1:39: services[0].outlier.most: it is shorter than \"base\" "
                            "(2000 ms): found 1000 ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_filled_up_with_server_k),
        cmocka_unit_test(the_count_is_the_number_of_names_where_nobody_says),
        cmocka_unit_test(none_is_a_legal_count),
        cmocka_unit_test(more_names_than_replicas_are_an_error),
        cmocka_unit_test(names_are_there_once),
        cmocka_unit_test(static_replicas_are_those_of_the_addresses),
        cmocka_unit_test(host_names_are_no_replicas_yet),
        cmocka_unit_test(names_that_replicas_of_a_host_name_could_have_are_refused),
        cmocka_unit_test(the_number_of_slots_follows_the_scheme),
        cmocka_unit_test(slots_of_slot_hrw_are_a_power_of_two),
        cmocka_unit_test(a_ring_that_is_too_small_is_an_error),
        cmocka_unit_test(more_slots_are_advised_for_many_replicas),
        cmocka_unit_test(random_keys_are_six_digits_in_classic),
        cmocka_unit_test(what_has_no_effect_is_a_warning_and_changes_nothing),
        cmocka_unit_test(all_services_share_the_limit_of_replicas),
        cmocka_unit_test(a_listener_names_services_that_are_there),
        cmocka_unit_test(the_state_is_kept_where_the_user_keeps_states),
        cmocka_unit_test(the_longest_ejection_is_no_shorter_than_the_first),
        cmocka_unit_test(the_token_is_the_first_line_of_its_file),
    };

    return cmocka_run_group_tests_name("config/config_derive", tests, NULL, NULL);
}
