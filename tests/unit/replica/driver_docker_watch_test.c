/* What the Docker driver hears and misses: the Engine away, hanging, back; the dockhand gone. */
#include "any_dockhand.h"
static void lose_engine(void)
{
    say("{\"id\":%d,\"result\":%d,\"why\":\"the Engine is gone\"}", events_id, -EHOSTDOWN);
    turn();
}

static void find_engine(void)
{
    turn_ms(300);
    events_id = take("events");
    say("{\"id\":%d,\"item\":{\"event\":\"opened\"}}", events_id);
    turn();
}

static void while_the_engine_is_away_a_heal_waits(void **state)
{
    struct heard heard;

    (void)state;
    lose_engine();
    order_start("a1", true, &heard);
    turn_ms(60000);
    assert_null(find_order("create"));
    assert_int_equal(0, heard.failures);
    assert_int_equal(1, count_orders("events"));
    find_engine();
    answer("list", "");
    answer_created('a');
    answer_running("start", 'a', "a1");
    stop_all(&heard);
}

static void a_start_somebody_waits_for_fails_soon_with_the_reason(void **state)
{
    struct heard heard;

    (void)state;
    lose_engine();
    order_start("a1", false, &heard);
    turn_ms(4000);
    assert_int_equal(0, heard.failures);
    turn_ms(1500);
    assert_int_equal(1, heard.failures);
    assert_string_equal("the Engine is gone", heard.why);
}

static void what_ended_while_the_engine_was_away_is_found(void **state)
{
    struct heard one;
    struct heard two;

    (void)state;
    start("a1", 'a', &one);
    start("a2", 'b', &two);
    lose_engine();
    find_engine();
    say("{\"id\":%d,\"item\":{\"container\":\"%s\",\"replica\":\"a1\",\"state\":\"running\"}}",
        (int)json_integer_value(json_object_get(find_order("list"), "id")), id_of('a'));
    answer("list", "");
    assert_int_equal(0, one.ends);
    assert_int_equal(1, two.ends);
    assert_int_equal(DRIVER_LOST, two.end);
    answer("remove", "");
    stop_all(&one);
}

static void events_are_asked_for_from_the_last_one_on(void **state)
{
    (void)state;
    tell_event("die", 'z', 1);
    lose_engine();
    turn_ms(300);
    assert_string_equal("1.500000000", text_of(find_order("events"), "since"));
}

static void containers_of_ours_that_have_ended_are_swept_away(void **state)
{
    (void)state;
    lose_engine();
    find_engine();
    say("{\"id\":%d,\"item\":{\"container\":\"%s\",\"replica\":\"old\",\"state\":\"exited\"}}",
        (int)json_integer_value(json_object_get(find_order("list"), "id")), id_of('e'));
    answer("list", "");
    assert_string_equal(id_of('e'), text_of(find_order("remove"), "container"));
    answer("remove", "");
}

static void an_engine_that_hangs_is_noticed_and_starts_wait(void **state)
{
    struct heard heard;

    (void)state;
    turn_ms(5200);
    refuse("list", -ETIMEDOUT, "");
    order_start("a1", true, &heard);
    assert_null(find_order("create"));
    turn_ms(300);
    answer("list", "");
    answer_created('a');
    answer_running("start", 'a', "a1");
    stop_all(&heard);
}

static void a_dockhand_that_ends_is_started_again(void **state)
{
    struct heard heard;

    (void)state;
    order_start("a1", true, &heard);
    close(hand);
    hand = -1;
    while (order_count)
        json_decref(orders[--order_count]);
    turn_ms(600);
    assert_int_equal(2, launches);
    assert_int_equal(0, heard.failures);
    turn_ms(300);
    come_up();
    answer_created('a');
    answer_running("start", 'a', "a1");
    stop_all(&heard);
}

static void one_that_works_again_within_the_same_process_too(void **state)
{
    struct heard heard;

    (void)state;
    start("a1", 'a', &heard);
    driver->calls->stop(heard.run, 1000);
    turn();
    (void)take("stop");
    say("{\"id\":0,\"result\":0}");
    turn_ms(300);
    assert_int_equal(1, launches);
    answer("stop", "");
    answer("remove", "");
    assert_int_equal(1, heard.ends);
}

struct found {
    char names[4][DRIVER_NAME_BYTES];
    unsigned count;
    unsigned ends;
    char why[DRIVER_WHY_BYTES];
};

static void on_found(void *owner, const char *name, const char *handle, const char *why)
{
    struct found *found = owner;

    if (name) {
        assert_int_equal(64, strlen(handle));
        snprintf(found->names[found->count++], DRIVER_NAME_BYTES, "%s", name);
        return;
    }
    found->ends++;
    snprintf(found->why, sizeof(found->why), "%s", why ? why : "");
}

static void a_list_has_what_runs_and_not_what_has_ended(void **state)
{
    struct found found = {0};
    int id;

    (void)state;
    driver->calls->list(driver, on_found, &found);
    turn();
    id = take("list");
    say("{\"id\":%d,\"item\":{\"container\":\"%s\",\"replica\":\"a1\",\"state\":\"running\"}}", id,
        id_of('a'));
    say("{\"id\":%d,\"item\":{\"container\":\"%s\",\"replica\":\"a2\",\"state\":\"exited\"}}", id,
        id_of('b'));
    say("{\"id\":%d,\"item\":{\"container\":\"%s\",\"replica\":\"a3\",\"state\":\"paused\"}}", id,
        id_of('c'));
    say("{\"id\":%d,\"result\":0}", id);
    turn();
    assert_int_equal(2, found.count);
    assert_string_equal("a1", found.names[0]);
    assert_string_equal("a3", found.names[1]);
    assert_int_equal(1, found.ends);
    assert_string_equal("", found.why);
}

static void a_list_that_cannot_be_had_says_why_within_seconds(void **state)
{
    struct found found = {0};

    (void)state;
    driver->calls->list(driver, on_found, &found);
    turn();
    for (unsigned i = 0; i < 40 && !found.ends; i++) {
        if (find_order("list"))
            refuse("list", -EHOSTDOWN, "");
        turn_ms(300);
    }
    assert_int_equal(1, found.ends);
    assert_string_equal("because", found.why);
    assert_in_range(now_us, 1005 * CLOCK_US_PER_S, 1008 * CLOCK_US_PER_S);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(while_the_engine_is_away_a_heal_waits),
        TEST(a_start_somebody_waits_for_fails_soon_with_the_reason),
        TEST(what_ended_while_the_engine_was_away_is_found),
        TEST(events_are_asked_for_from_the_last_one_on),
        TEST(containers_of_ours_that_have_ended_are_swept_away),
        TEST(an_engine_that_hangs_is_noticed_and_starts_wait),
        TEST(a_dockhand_that_ends_is_started_again),
        TEST(one_that_works_again_within_the_same_process_too),
        TEST(a_list_has_what_runs_and_not_what_has_ended),
        TEST(a_list_that_cannot_be_had_says_why_within_seconds),
    };

    return cmocka_run_group_tests_name("replica/driver_docker_watch", tests, NULL, NULL);
}
