#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/json_pointer.h"

struct sample {
    const char *text;
    const char *pointer;
    const char *value; /* NULL: absent */
};

static const struct sample samples[] = {
    {"{\"user\":\"ann\"}", "/user", "ann"},
    {" {\n\t\"a\" : { \"b\" : [ 1 , { \"c\" : -2.5e+3 } ] } } ", "/a/b/1/c", "-2.5e+3"},
    {"{\"x\":{\"user\":1},\"user\":2}", "/user", "2"},
    {"{\"user\":1,\"user\":2}", "/user", "1"},
    {"{\"a\\\"b\":true}", "/a\"b", "true"},
    {"{\"a\\u002fb\":null}", "/a~1b", "null"},
    {"{\"~\":false}", "/~0", "false"},
    {"{\"\\ud83d\\ude00\":7}", "/\xf0\x9f\x98\x80", "7"},
    {"{\"\":\"empty\"}", "/", "empty"},
    {"\"whole\"", "", "whole"},
    {"{\"s\":\"a\\\"b\\\\\"}", "/s", "a\\\"b\\\\"},
    {"[[],{},[{}],\"x\"]", "/3", "x"},
    {"{\"a\":[10,11,12]}", "/a/2", "12"},
    {"{\"a\":[10]}", "/a/1", NULL},
    {"{\"a\":[10]}", "/a/00", NULL},
    {"{\"a\":[10]}", "/a/-", NULL},
    {"{\"a\":{}}", "/a", NULL},
    {"{\"a\":{}}", "/a/b", NULL},
    {"{}", "/a", NULL},
    {"[]", "/0", NULL},
    {"{\"a\":1}", "a", NULL},
    {"{\"a\":1}", "/a~2", NULL},
    {"{\"a\" 1}", "/a", NULL},
    {"{\"b\":}, \"a\":1}", "/a", NULL},
    {"{\"b\":1 \"a\":1}", "/a", NULL},
    {"{\"b\":\"\n\",\"a\":1}", "/a", NULL},
    {"not json", "/a", NULL},
};

static void a_value_is_found_where_the_pointer_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        char text[256];
        struct view value = {NULL, 0};
        enum json_pointer_result result;

        snprintf(text, sizeof(text), "%s ", samples[i].text);
        result = json_pointer_find(view_of(text), view_of(samples[i].pointer), &value);
        if (!samples[i].value) {
            if (result != JSON_POINTER_ABSENT)
                fail_msg("%s in %s: expected nothing, got %d", samples[i].pointer, text,
                         (int)result);
            continue;
        }
        if (result != JSON_POINTER_FOUND || !view_equals(value, view_of(samples[i].value)))
            fail_msg("%s in %s: expected %s, got %.*s", samples[i].pointer, text, samples[i].value,
                     VIEW_ARGUMENTS(value));
    }
}

/* What was said of a part is never taken back by the rest. */
static void a_part_of_the_text_says_more_or_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        char text[256];
        size_t whole = (size_t)snprintf(text, sizeof(text), "%s ", samples[i].text);
        enum json_pointer_result end;
        struct view last = {NULL, 0};

        end = json_pointer_find((struct view){text, whole}, view_of(samples[i].pointer), &last);
        for (size_t size = 0; size < whole; size++) {
            char *part = malloc(size + 1);
            struct view value = {NULL, 0};
            enum json_pointer_result result;

            memcpy(part, text, size);
            result =
                json_pointer_find((struct view){part, size}, view_of(samples[i].pointer), &value);
            if (result != JSON_POINTER_MORE)
                assert_int_equal(result, end);
            if (result == JSON_POINTER_FOUND)
                assert_true(view_equals(value, last));
            free(part);
        }
    }
}

static void depth_is_limited(void **state)
{
    char text[4 * JSON_POINTER_DEPTH_MAX];
    struct view value;

    (void)state;
    memset(text, '[', sizeof(text));
    memcpy(text, "{\"b\":", 5);
    assert_int_equal(json_pointer_find((struct view){text, sizeof(text)}, VIEW("/a"), &value),
                     JSON_POINTER_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_where_the_pointer_says),
        cmocka_unit_test(a_part_of_the_text_says_more_or_the_same),
        cmocka_unit_test(depth_is_limited),
    };

    return cmocka_run_group_tests_name("proxy/json_pointer", tests, NULL, NULL);
}
