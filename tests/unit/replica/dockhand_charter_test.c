/* What a dockhand may do at all, and the one request to make a container that it can write. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "replica/dockhand_charter.h"

#define PLAIN                                                                                      \
    "{\"node\":\"n\",\"service\":\"web\",\"image\":\"app:1\",\"network\":\"roost\",\"port\":5000," \
    "\"memory\":0,\"cpus\":0,\"pids\":0,\"env\":[]}"

/* The plain charter with `from` replaced. */
static char *changed(const char *from, const char *to)
{
    const char *at = strstr(PLAIN, from);
    char *text = memory_allocate(strlen(PLAIN) + strlen(to) + 1);

    assert_non_null(at);
    sprintf(text, "%.*s%s%s", (int)(at - PLAIN), PLAIN, to, at + strlen(from));
    return text;
}

static void refuse(const char *from, const char *to)
{
    char *text = changed(from, to);
    struct dockhand_charter charter;
    struct error why = {""};

    if (dockhand_charter_read(&charter, view_of(text), &why) != -EINVAL)
        fail_msg("taken: %s", text);
    assert_int_not_equal('\0', why.text[0]);
    free(text);
}

static struct dockhand_charter read_charter(const char *from, const char *to)
{
    char *text = changed(from, to);
    struct dockhand_charter charter;
    struct error why = {""};

    if (dockhand_charter_read(&charter, view_of(text), &why) < 0)
        fail_msg("%s", why.text);
    free(text);
    return charter;
}

static json_t *body_of(struct dockhand_charter charter, const char *replica)
{
    char *text = dockhand_charter_body(&charter, replica);
    json_t *body = json_loads(text, 0, NULL);

    assert_non_null(body);
    free(text);
    dockhand_charter_finish(&charter);
    return body;
}

static void check_body(struct dockhand_charter charter, const char *replica, const char *expected)
{
    json_t *body = body_of(charter, replica);
    json_t *wanted = json_loads(expected, 0, NULL);

    assert_non_null(wanted);
    if (!json_equal(wanted, body))
        fail_msg("%s", json_dumps(body, JSON_SORT_KEYS));
    json_decref(wanted);
    json_decref(body);
}

#define LOG                                                                                        \
    "\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"4m\",\"max-file\":\"2\"}}"
#define LABELS                                                                                     \
    "\"Labels\":{\"io.roost.node\":\"n\",\"io.roost.service\":\"web\",\"io.roost.replica\":\""

static void a_container_is_made_of_these_fields_and_no_others(void **state)
{
    (void)state;
    check_body(read_charter("app:1", "app:1"), "Server 1",
               "{\"Image\":\"app:1\",\"Env\":[\"SERVER_ID=1\",\"PORT=5000\"]," LABELS
               "Server 1\"},\"HostConfig\":{\"NetworkMode\":\"roost\",\"RestartPolicy\":"
               "{\"Name\":\"no\"}," LOG "}}");
}

static void limits_are_set_without_swap_beside_them(void **state)
{
    (void)state;
    check_body(read_charter("\"memory\":0,\"cpus\":0,\"pids\":0",
                            "\"memory\":268435456,\"cpus\":500000000,\"pids\":128"),
               "a",
               "{\"Image\":\"app:1\",\"Env\":[\"SERVER_ID=a\",\"PORT=5000\"]," LABELS
               "a\"},\"HostConfig\":{\"NetworkMode\":\"roost\",\"RestartPolicy\":{\"Name\":\"no\"},"
               "\"Memory\":268435456,\"MemorySwap\":268435456,\"NanoCpus\":500000000,"
               "\"PidsLimit\":128," LOG "}}");
}

static void the_environment_of_the_service_wins_over_ours(void **state)
{
    (void)state;
    check_body(
        read_charter("[]", "[\"PORT=80\",\"A=b c=d\"]"), "a",
        "{\"Image\":\"app:1\",\"Env\":[\"PORT=80\",\"A=b c=d\",\"SERVER_ID=a\"]," LABELS
        "a\"},\"HostConfig\":{\"NetworkMode\":\"roost\",\"RestartPolicy\":{\"Name\":\"no\"}," LOG
        "}}");
}

static void a_charter_is_written_as_it_is_read(void **state)
{
    struct dockhand_charter charter = read_charter("[]", "[\"A=b\"]");
    char *text = dockhand_charter_write(&charter);
    char *expected = changed("[]", "[\"A=b\"]");

    (void)state;
    assert_string_equal(expected, text);
    free(expected);
    free(text);
    dockhand_charter_finish(&charter);
}

static void the_network_of_the_host_of_nobody_and_of_others_is_refused(void **state)
{
    static const char *const bad[] = {"host", "HOST",       "none", "default", "container:x",
                                      "",     "ns:/proc/1", "a/b",  "a b",     "-a"};
    char text[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        snprintf(text, sizeof(text), "\"network\":\"%s\"", bad[i]);
        refuse("\"network\":\"roost\"", text);
    }
}

static void what_names_no_image_is_refused(void **state)
{
    static const char *const bad[] = {"", "-x", "a b", "a\\nb", "a?b", "a&b=c", "$x", "a;b"};
    char text[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        snprintf(text, sizeof(text), "\"image\":\"%s\"", bad[i]);
        refuse("\"image\":\"app:1\"", text);
    }
    refuse("app:1", "sha256:0123456789012345678901234567890123456789012345678901234567890123456789"
                    "0123456789012345678901234567890123456789012345678901234567890123456789012345"
                    "0123456789012345678901234567890123456789012345678901234567890123456789012345"
                    "0123456789012345678901234567890123456789012345678901234567890123456789012345");
}

static void an_image_may_have_a_registry_a_tag_and_a_digest(void **state)
{
    struct dockhand_charter charter =
        read_charter("app:1", "registry.example.org:5000/team/app_x:1.2-b@sha256:0123abcd");

    (void)state;
    assert_string_equal("registry.example.org:5000/team/app_x:1.2-b@sha256:0123abcd",
                        charter.image);
    dockhand_charter_finish(&charter);
}

static void what_is_no_variable_is_refused(void **state)
{
    (void)state;
    refuse("[]", "[\"A\"]");
    refuse("[]", "[\"=b\"]");
    refuse("[]", "[\"1=b\"]");
    refuse("[]", "[\"A B=c\"]");
    refuse("[]", "[7]");
    refuse("[]", "[\"A=b\\u0000c\"]");
    refuse("[]", "{}");
}

static void too_much_environment_is_refused(void **state)
{
    char *text = memory_allocate(DOCKHAND_CHARTER_ENV_BYTES_MAX + 16);
    size_t size = (size_t)sprintf(text, "[\"A=");

    (void)state;
    memset(text + size, 'x', DOCKHAND_CHARTER_ENV_BYTES_MAX);
    memcpy(text + size + DOCKHAND_CHARTER_ENV_BYTES_MAX, "\"]", 3);
    refuse("[]", text);
    free(text);
}

static void limits_out_of_range_are_refused(void **state)
{
    (void)state;
    refuse("\"memory\":0", "\"memory\":1024");
    refuse("\"memory\":0", "\"memory\":-1");
    refuse("\"cpus\":0", "\"cpus\":-1");
    refuse("\"pids\":0", "\"pids\":-1");
    refuse("\"port\":5000", "\"port\":0");
    refuse("\"port\":5000", "\"port\":65536");
}

static void a_field_that_is_not_known_or_is_missing_is_refused(void **state)
{
    (void)state;
    refuse("\"env\":[]", "\"env\":[],\"privileged\":true");
    refuse("\"env\":[]", "\"env\":[],\"binds\":[\"/:/host\"]");
    refuse("\"env\":[]", "\"env\":[],\"env\":[\"A=b\"]");
    refuse(",\"env\":[]", "");
    refuse("\"node\":\"n\"", "\"node\":\"\"");
    refuse("\"service\":\"web\"", "\"service\":\"a/b\"");
    refuse(PLAIN, "");
    refuse(PLAIN, "[]");
}

static void only_both_labels_together_make_a_container_ours(void **state)
{
    struct dockhand_charter charter = read_charter("[]", "[]");
    json_t *ours =
        json_pack("{s:s,s:s,s:s}", "io.roost.node", "n", "io.roost.service", "web", "x", "y");
    json_t *others = json_pack("{s:s,s:s}", "io.roost.node", "m", "io.roost.service", "web");
    json_t *half = json_pack("{s:s}", "io.roost.service", "web");
    json_t *wrong = json_pack("{s:s,s:i}", "io.roost.service", "web", "io.roost.node", 1);

    (void)state;
    assert_true(dockhand_charter_owns(&charter, ours));
    assert_false(dockhand_charter_owns(&charter, others));
    assert_false(dockhand_charter_owns(&charter, half));
    assert_false(dockhand_charter_owns(&charter, wrong));
    assert_false(dockhand_charter_owns(&charter, NULL));
    json_decref(ours);
    json_decref(others);
    json_decref(half);
    json_decref(wrong);
    dockhand_charter_finish(&charter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_container_is_made_of_these_fields_and_no_others),
        cmocka_unit_test(limits_are_set_without_swap_beside_them),
        cmocka_unit_test(the_environment_of_the_service_wins_over_ours),
        cmocka_unit_test(a_charter_is_written_as_it_is_read),
        cmocka_unit_test(the_network_of_the_host_of_nobody_and_of_others_is_refused),
        cmocka_unit_test(what_names_no_image_is_refused),
        cmocka_unit_test(an_image_may_have_a_registry_a_tag_and_a_digest),
        cmocka_unit_test(what_is_no_variable_is_refused),
        cmocka_unit_test(too_much_environment_is_refused),
        cmocka_unit_test(limits_out_of_range_are_refused),
        cmocka_unit_test(a_field_that_is_not_known_or_is_missing_is_refused),
        cmocka_unit_test(only_both_labels_together_make_a_container_ours),
    };

    return cmocka_run_group_tests_name("replica/dockhand_charter", tests, NULL, NULL);
}
