#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN UINT64_C(0xabc)

/* Large: not on the stack. */
static struct events events;

static void add(const char *what)
{
    events_add(&events, what, json_pack("{s:s}", "service", "web"));
}

static void an_event_is_a_frame_with_id_name_and_json(void **state)
{
    const struct events_one *one;
    struct view data;
    json_t *json;

    (void)state;
    events_init(&events, RUN);
    assert_int_equal(1, events_add(&events, "pool.added", json_pack("{s:[s]}", "replicas", "S4")));
    one = events_find(&events, 1);
    assert_non_null(one);
    assert_true(view_starts_with(events_frame(one),
                                 VIEW("id: abc-1\nevent: pool.added\ndata: {\"number\":1,")));
    assert_memory_equal("}\n\n", one->frame + one->frame_bytes - 3, 3);
    data = events_data(one);
    assert_int_equal(data.size, view_find(data, '\n'));
    json = json_loadb(data.data, data.size, 0, NULL);
    assert_non_null(json);
    assert_string_equal("abc", json_string_value(json_object_get(json, "run")));
    assert_string_equal("pool.added", json_string_value(json_object_get(json, "what")));
    assert_int_equal(1, json_array_size(json_object_get(json, "replicas")));
    json_decref(json);
    events_finish(&events);
}

static void what_a_text_holds_never_ends_a_line(void **state)
{
    struct view data;

    (void)state;
    events_init(&events, RUN);
    events_add(&events, "x", json_pack("{s:s}", "cause", "one\ntwo\r\n\ndata: three"));
    data = events_data(events_find(&events, 1));
    assert_int_equal(data.size, view_find(data, '\n'));
    assert_int_equal(data.size, view_find(data, '\r'));
    events_finish(&events);
}

static void the_oldest_is_forgotten_first(void **state)
{
    (void)state;
    events_init(&events, RUN);
    for (int i = 0; i < EVENTS_KEPT_MAX + 10; i++)
        add("x");
    assert_null(events_find(&events, 10));
    assert_non_null(events_find(&events, 11));
    assert_int_equal(11, events_find(&events, 11)->number);
    assert_int_equal(EVENTS_KEPT_MAX + 10, events_find(&events, EVENTS_KEPT_MAX + 10)->number);
    assert_null(events_find(&events, EVENTS_KEPT_MAX + 11));
    assert_null(events_find(&events, 0));
    events_finish(&events);
    assert_int_equal(0, events.bytes);
}

static void large_ones_are_kept_up_to_a_number_of_bytes(void **state)
{
    size_t size = EVENTS_BYTES_MAX / 10;
    char *text = malloc(size + 1);

    (void)state;
    memset(text, 'x', size);
    text[size] = '\0';
    events_init(&events, RUN);
    for (int i = 0; i < 30; i++) {
        events_add(&events, "x", json_pack("{s:s}", "cause", text));
        assert_true(events.bytes <= EVENTS_BYTES_MAX);
    }
    assert_non_null(events_find(&events, 30));
    assert_int_equal(22, events.first);
    events_finish(&events);
    free(text);
}

static void one_that_is_larger_than_all_is_kept_alone(void **state)
{
    size_t size = EVENTS_BYTES_MAX + 1;
    char *text = malloc(size + 1);

    (void)state;
    memset(text, 'x', size);
    text[size] = '\0';
    events_init(&events, RUN);
    add("x");
    events_add(&events, "x", json_pack("{s:s}", "cause", text));
    assert_null(events_find(&events, 1));
    assert_non_null(events_find(&events, 2));
    add("x");
    assert_null(events_find(&events, 2));
    assert_non_null(events_find(&events, 3));
    events_finish(&events);
    free(text);
}

static void who_comes_back_goes_on_where_he_was(void **state)
{
    uint64_t next = 0;
    bool missed = true;

    (void)state;
    events_init(&events, RUN);
    for (int i = 0; i < 5; i++)
        add("x");
    assert_int_equal(0, events_resume(&events, VIEW("abc-3"), &next, &missed));
    assert_int_equal(4, next);
    assert_false(missed);
    assert_int_equal(0, events_resume(&events, VIEW("abc-5"), &next, &missed));
    assert_int_equal(6, next);
    assert_false(missed);
    assert_int_equal(0, events_resume(&events, VIEW("abc-0"), &next, &missed));
    assert_int_equal(1, next);
    assert_false(missed);
    events_finish(&events);
}

static void who_missed_some_is_told_so_and_gets_all_there_is(void **state)
{
    uint64_t next = 0;
    bool missed = false;

    (void)state;
    events_init(&events, RUN);
    for (int i = 0; i < EVENTS_KEPT_MAX + 5; i++)
        add("x");
    /* Forgotten. */
    assert_int_equal(0, events_resume(&events, VIEW("abc-4"), &next, &missed));
    assert_int_equal(6, next);
    assert_true(missed);
    /* The last one that is not needed. */
    assert_int_equal(0, events_resume(&events, VIEW("abc-5"), &next, &missed));
    assert_int_equal(6, next);
    assert_false(missed);
    /* Of another run, or of the future. */
    assert_int_equal(0, events_resume(&events, VIEW("def-7"), &next, &missed));
    assert_int_equal(6, next);
    assert_true(missed);
    missed = false;
    assert_int_equal(0, events_resume(&events, VIEW("abc-999999"), &next, &missed));
    assert_int_equal(6, next);
    assert_true(missed);
    events_finish(&events);
}

static void what_is_no_id_is_refused(void **state)
{
    static const char *const none[] = {"",
                                       "-",
                                       "abc",
                                       "abc-",
                                       "abc-x",
                                       "-5",
                                       "abc5",
                                       "abc- 5",
                                       "abc-+5",
                                       "abc-5-",
                                       "abc--5",
                                       "abc-18446744073709551615",
                                       "0123456789abcdef01234-5"};
    uint64_t next = 7;
    bool missed;

    (void)state;
    events_init(&events, RUN);
    for (size_t i = 0; i < ARRAY_SIZE(none); i++)
        assert_int_equal(-EINVAL, events_resume(&events, view_of(none[i]), &next, &missed));
    assert_int_equal(7, next);
    events_finish(&events);
}

/* ---- listeners ---- */

struct ear {
    struct events_listener listener;
    unsigned heard;
};

static void hear(struct events_listener *listener)
{
    CONTAINER_OF(listener, struct ear, listener)->heard++;
}

static void hear_once(struct events_listener *listener)
{
    hear(listener);
    events_ignore(listener);
}

static void everybody_who_listens_is_told_and_may_leave_then(void **state)
{
    struct ear one = {.heard = 0};
    struct ear other = {.heard = 0};

    (void)state;
    events_init(&events, RUN);
    events_listen(&events, &one.listener, hear_once);
    events_listen(&events, &other.listener, hear);
    add("x");
    add("x");
    assert_int_equal(1, one.heard);
    assert_int_equal(2, other.heard);
    events_ignore(&other.listener);
    events_ignore(&other.listener);
    add("x");
    assert_int_equal(2, other.heard);
    events_finish(&events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_a_frame_with_id_name_and_json),
        cmocka_unit_test(what_a_text_holds_never_ends_a_line),
        cmocka_unit_test(the_oldest_is_forgotten_first),
        cmocka_unit_test(large_ones_are_kept_up_to_a_number_of_bytes),
        cmocka_unit_test(one_that_is_larger_than_all_is_kept_alone),
        cmocka_unit_test(who_comes_back_goes_on_where_he_was),
        cmocka_unit_test(who_missed_some_is_told_so_and_gets_all_there_is),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(everybody_who_listens_is_told_and_may_leave_then),
    };

    return cmocka_run_group_tests_name("control/events", tests, NULL, NULL);
}
