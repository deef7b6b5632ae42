/* What a dockhand is asked, and above all what it refuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/memory.h"
#include "replica/dockhand_order.h"

#define ID "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"

static int read_order(const char *text, struct dockhand_order *order)
{
    struct error why = {""};
    int result = dockhand_order_read(order, view_of(text), &why);

    assert_int_equal(result < 0, why.text[0] != '\0');
    return result;
}

/* Refused, and with a sentence that says what was wrong. */
static void refuse(const char *text, const char *sentence)
{
    struct dockhand_order order;
    struct error why = {""};

    assert_int_equal(-EINVAL, dockhand_order_read(&order, view_of(text), &why));
    if (!strstr(why.text, sentence))
        fail_msg("'%s' does not say '%s'", why.text, sentence);
}

/* ---- what it does ---- */

static void create_has_the_name_of_the_container_and_of_the_replica(void **state)
{
    struct dockhand_order order;

    (void)state;
    assert_int_equal(0, read_order("{\"id\":7,\"verb\":\"create\",\"name\":\"Server-1\","
                                   "\"replica\":\"Server 1\"}",
                                   &order));
    assert_int_equal(7, order.id);
    assert_int_equal(DOCKHAND_CREATE, order.verb);
    assert_string_equal("Server-1", order.name);
    assert_string_equal("Server 1", order.replica);
}

static void start_remove_and_inspect_have_a_container(void **state)
{
    static const char *const verbs[] = {"start", "remove", "inspect"};
    static const enum dockhand_verb values[] = {DOCKHAND_START, DOCKHAND_REMOVE, DOCKHAND_INSPECT};
    struct dockhand_order order;
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        snprintf(text, sizeof(text), "{\"id\":1,\"verb\":\"%s\",\"container\":\"" ID "\"}",
                 verbs[i]);
        assert_int_equal(0, read_order(text, &order));
        assert_int_equal(values[i], order.verb);
        assert_string_equal(ID, order.container);
    }
}

static void stop_has_a_time_to_wait(void **state)
{
    struct dockhand_order order;

    (void)state;
    assert_int_equal(
        0, read_order("{\"id\":1,\"verb\":\"stop\",\"container\":\"" ID "\",\"grace\":5}", &order));
    assert_int_equal(5, order.grace_s);
    refuse("{\"id\":1,\"verb\":\"stop\",\"container\":\"" ID "\",\"grace\":-1}", "no time to wait");
    refuse("{\"id\":1,\"verb\":\"stop\",\"container\":\"" ID "\",\"grace\":601}",
           "no time to wait");
}

static void list_and_events_have_no_container(void **state)
{
    struct dockhand_order order;

    (void)state;
    assert_int_equal(0, read_order("{\"id\":1,\"verb\":\"list\"}", &order));
    assert_int_equal(DOCKHAND_LIST, order.verb);
    assert_int_equal(0, read_order("{\"id\":1,\"verb\":\"events\",\"since\":\"1.5\"}", &order));
    assert_int_equal(DOCKHAND_EVENTS, order.verb);
    assert_string_equal("1.5", order.since);
    refuse("{\"id\":1,\"verb\":\"list\",\"container\":\"" ID "\"}", "list:");
    refuse("{\"id\":1,\"verb\":\"events\",\"since\":\"0&filters={}\"}", "no time");
}

/* ---- what it refuses: one test a thing that would give away the machine ---- */

#define CREATE_WITH(field)                                                                         \
    "{\"id\":1,\"verb\":\"create\",\"name\":\"a1\",\"replica\":\"a\"," field "}"

#define REFUSES_CREATE(name, field)                                                                \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        refuse(CREATE_WITH(field), "create:");                                                     \
    }

REFUSES_CREATE(bind_mounts_are_refused, "\"binds\":[\"/:/host\"]")
REFUSES_CREATE(mounts_are_refused, "\"mounts\":[{\"Type\":\"bind\",\"Source\":\"/\"}]")
REFUSES_CREATE(volumes_of_others_are_refused, "\"volumes_from\":[\"other\"]")
REFUSES_CREATE(privileged_is_refused, "\"privileged\":true")
REFUSES_CREATE(the_hosts_network_is_refused, "\"network\":\"host\"")
REFUSES_CREATE(the_hosts_pids_are_refused, "\"pid\":\"host\"")
REFUSES_CREATE(the_hosts_ipc_is_refused, "\"ipc\":\"host\"")
REFUSES_CREATE(the_hosts_users_are_refused, "\"userns\":\"host\"")
REFUSES_CREATE(capabilities_are_refused, "\"cap_add\":[\"SYS_ADMIN\"]")
REFUSES_CREATE(devices_are_refused, "\"devices\":[\"/dev/sda\"]")
REFUSES_CREATE(security_options_are_refused, "\"security_opt\":[\"seccomp=unconfined\"]")
REFUSES_CREATE(sysctls_are_refused, "\"sysctls\":{\"kernel.core_pattern\":\"|/x\"}")
REFUSES_CREATE(published_ports_are_refused, "\"ports\":[\"80:80\"]")
REFUSES_CREATE(another_image_is_refused, "\"image\":\"evil\"")
REFUSES_CREATE(another_command_is_refused, "\"command\":[\"sh\"]")
REFUSES_CREATE(another_user_is_refused, "\"user\":\"root\"")
REFUSES_CREATE(other_labels_are_refused, "\"labels\":{\"io.roost.node\":\"another\"}")
REFUSES_CREATE(more_environment_is_refused, "\"env\":[\"LD_PRELOAD=/x\"]")
REFUSES_CREATE(a_raw_body_is_refused, "\"HostConfig\":{\"Privileged\":true}")

static void other_verbs_are_refused(void **state)
{
    static const char *const verbs[] = {"exec",   "attach",  "build",  "pull", "push",
                                        "commit", "archive", "update", "kill", "rename",
                                        "images", "volumes", "swarm",  "",     "CREATE"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        snprintf(text, sizeof(text), "{\"id\":1,\"verb\":\"%s\",\"container\":\"" ID "\"}",
                 verbs[i]);
        refuse(text, "there is no verb");
    }
    refuse("{\"id\":1}", "there is no verb");
    refuse("{\"id\":1,\"verb\":7}", "there is no verb");
}

static void a_container_is_its_whole_id_and_never_a_path(void **state)
{
    static const char *const bad[] = {"",         "Server-1",         "4f53cda18c2b",
                                      ID "0",     "../images/x",      "../..",
                                      ID "/exec", "4F" /* capital */, "x?force=1"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        snprintf(text, sizeof(text), "{\"id\":1,\"verb\":\"remove\",\"container\":\"%s\"}", bad[i]);
        refuse(text, "no id of a container");
    }
}

static void a_name_cannot_reach_into_the_path_or_the_query(void **state)
{
    static const char *const bad[] = {"",    "a",   "a/b",  "a?x=1", "a&b", "a%2f", "a b",
                                      "-ab", "..a", "a\\n", "a\\r",  "é1",  "a#b",  "a\\u0000b"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        snprintf(text, sizeof(text),
                 "{\"id\":1,\"verb\":\"create\",\"name\":\"%s\",\"replica\":\"a\"}", bad[i]);
        refuse(text, "");
    }
}

static void a_field_twice_is_refused(void **state)
{
    (void)state;
    refuse("{\"id\":1,\"verb\":\"list\",\"verb\":\"create\"}", "no order");
}

static void what_is_no_order_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "[]",
                                      "{",
                                      "7",
                                      "{\"verb\":\"list\"}",
                                      "{\"id\":0,\"verb\":\"list\"}",
                                      "{\"id\":-1,\"verb\":\"list\"}",
                                      "{\"id\":\"1\",\"verb\":\"list\"}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        refuse(bad[i], "");
}

static void an_order_of_more_than_64_kib_is_refused(void **state)
{
    size_t size = DOCKHAND_ORDER_BYTES_MAX + 1;
    char *text = memory_allocate(size + 1);

    (void)state;
    memset(text, ' ', size);
    memcpy(text, "{\"id\":1,\"verb\":\"list\"}", 22);
    refuse(text, "at most");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_has_the_name_of_the_container_and_of_the_replica),
        cmocka_unit_test(start_remove_and_inspect_have_a_container),
        cmocka_unit_test(stop_has_a_time_to_wait),
        cmocka_unit_test(list_and_events_have_no_container),
        cmocka_unit_test(bind_mounts_are_refused),
        cmocka_unit_test(mounts_are_refused),
        cmocka_unit_test(volumes_of_others_are_refused),
        cmocka_unit_test(privileged_is_refused),
        cmocka_unit_test(the_hosts_network_is_refused),
        cmocka_unit_test(the_hosts_pids_are_refused),
        cmocka_unit_test(the_hosts_ipc_is_refused),
        cmocka_unit_test(the_hosts_users_are_refused),
        cmocka_unit_test(capabilities_are_refused),
        cmocka_unit_test(devices_are_refused),
        cmocka_unit_test(security_options_are_refused),
        cmocka_unit_test(sysctls_are_refused),
        cmocka_unit_test(published_ports_are_refused),
        cmocka_unit_test(another_image_is_refused),
        cmocka_unit_test(another_command_is_refused),
        cmocka_unit_test(another_user_is_refused),
        cmocka_unit_test(other_labels_are_refused),
        cmocka_unit_test(more_environment_is_refused),
        cmocka_unit_test(a_raw_body_is_refused),
        cmocka_unit_test(other_verbs_are_refused),
        cmocka_unit_test(a_container_is_its_whole_id_and_never_a_path),
        cmocka_unit_test(a_name_cannot_reach_into_the_path_or_the_query),
        cmocka_unit_test(a_field_twice_is_refused),
        cmocka_unit_test(what_is_no_order_is_refused),
        cmocka_unit_test(an_order_of_more_than_64_kib_is_refused),
    };

    return cmocka_run_group_tests_name("replica/dockhand_order", tests, NULL, NULL);
}
