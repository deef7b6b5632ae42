#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/reload_compare.h"

#include <stdio.h>
#include <string.h>

static void load(struct config *config, const char *text)
{
    char *const environment[] = {NULL};
    struct error why;

    if (config_load_text(config, "test.yaml", view_of(text), false, NULL, environment, NULL, &why) <
        0)
        fail_msg("%s", why.text);
}

static void compare(const char *now, const char *next, struct reload_difference *difference)
{
    struct config a;
    struct config b;

    load(&a, now);
    load(&b, next);
    reload_compare(&a, &b, difference);
    config_finish(&a);
    config_finish(&b);
}

/* The keys of a list with spaces between them. */
static void assert_keys(const json_t *list, const char *wanted)
{
    char text[512] = "";
    const json_t *key;
    size_t i;

    json_array_foreach(list, i, key)
    {
        strncat(text, i ? " " : "", sizeof(text) - strlen(text) - 1);
        strncat(text, json_string_value(key), sizeof(text) - strlen(text) - 1);
    }
    assert_string_equal(wanted, text);
}

#define LISTEN(list) "listen: [" list "]\ncontrol: {address: 127.0.0.1:5001}\nstate: /tmp/s\n"
#define ONE          LISTEN("{address: 127.0.0.1:5000}")

static void check(const char *now, const char *next, const char *changed, const char *restart)
{
    struct reload_difference difference;

    compare(now, next, &difference);
    assert_keys(difference.changed, changed);
    assert_keys(difference.restart, restart);
    reload_compare_forget(&difference);
}

static void the_same_text_differs_in_nothing(void **state)
{
    (void)state;
    check(ONE, ONE, "", "");
}

static void a_default_that_is_written_down_differs_in_nothing(void **state)
{
    (void)state;
    check(ONE, ONE "workers: auto\nlimits: {connections: 20000}\n", "", "");
}

static void what_a_table_can_say_can_be_changed(void **state)
{
    (void)state;
    check(ONE,
          ONE "workers: 3\nlimits: {idle-timeout: 5s}\ntrusted-proxies: [10.0.0.0/8]\n"
              "services: [{name: web, timeouts: {drain: 1s}, balance: {bound: 1.25}}]\n",
          "workers trusted-proxies limits.idle-timeout services[0].balance.bound "
          "services[0].timeouts.drain",
          "");
}

static void what_was_used_up_at_the_start_needs_a_restart(void **state)
{
    (void)state;
    check(ONE,
          ONE "log: {level: warn}\n"
              "services: [{name: web, replicas: {count: 4, env: {A: b}}, health: {fall: 3}}]\n",
          "",
          "log.level services[0].replicas.count services[0].replicas.names "
          "services[0].replicas.env services[0].health.fall");
}

static void an_entry_of_a_map_that_has_another_name_is_a_difference(void **state)
{
    (void)state;
    check(ONE "services: [{name: web, replicas: {weights: {a: 2}}}]\n",
          ONE "services: [{name: web, replicas: {weights: {b: 2}}}]\n", "",
          "services[0].replicas.weights");
}

static void more_or_fewer_services_need_a_restart(void **state)
{
    (void)state;
    check(ONE "services: [{name: web}]\n", ONE "services: [{name: web}, {name: b}]\n", "",
          "services");
    check(ONE "services: [{name: web}]\n", ONE "services: [{name: other}]\n", "",
          "services[0].name");
}

static void addresses_are_compared_whatever_their_order(void **state)
{
    static const char two[] = LISTEN("{address: 127.0.0.1:5000}, {address: 127.0.0.1:5010}");
    static const char turned[] = LISTEN("{address: 127.0.0.1:5010}, {address: 127.0.0.1:5000}");
    static const char other[] = LISTEN("{address: 127.0.0.1:5000}, {address: 127.0.0.1:5011}");

    (void)state;
    check(two, turned, "", "");
    check(ONE, two, "listen", "");
    check(two, ONE, "listen", "");
    check(two, other, "listen", "");
}

static void the_services_of_an_address_can_be_changed(void **state)
{
    (void)state;
    check(ONE, LISTEN("{address: 127.0.0.1:5000, services: [web]}"), "listen[0].services", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_text_differs_in_nothing),
        cmocka_unit_test(a_default_that_is_written_down_differs_in_nothing),
        cmocka_unit_test(what_a_table_can_say_can_be_changed),
        cmocka_unit_test(what_was_used_up_at_the_start_needs_a_restart),
        cmocka_unit_test(an_entry_of_a_map_that_has_another_name_is_a_difference),
        cmocka_unit_test(more_or_fewer_services_need_a_restart),
        cmocka_unit_test(addresses_are_compared_whatever_their_order),
        cmocka_unit_test(the_services_of_an_address_can_be_changed),
    };

    return cmocka_run_group_tests_name("control/reload_compare", tests, NULL, NULL);
}
