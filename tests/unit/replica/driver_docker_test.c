/* The runs of the Docker driver: what becomes of each start. */
#include "any_dockhand.h"

static void a_replica_is_created_started_and_told(void **state)
{
    struct heard heard;
    char address[ADDRESS_TEXT_BYTES];

    (void)state;
    order_start("Server 1", true, &heard);
    assert_string_equal("Server-1", text_of(find_order("create"), "name"));
    assert_string_equal("Server 1", text_of(find_order("create"), "replica"));
    answer_created('a');
    assert_string_equal(id_of('a'), text_of(find_order("start"), "container"));
    assert_int_equal(0, heard.starts);
    answer_running("start", 'a', "Server 1");
    assert_int_equal(1, heard.starts);
    address_to_text(&heard.started.address, address);
    assert_string_equal("10.0.0.5:5000", address);
    assert_string_equal(id_of('a'), heard.started.handle);
    stop_all(&heard);
}

static void an_end_is_told_before_the_container_is_removed(void **state)
{
    struct heard heard;

    (void)state;
    start("a", 'a', &heard);
    tell_event("die", 'a', 137);
    assert_int_equal(1, heard.ends);
    assert_int_equal(DRIVER_KILLED, heard.end);
    assert_string_equal("SIGKILL", heard.why);
    assert_string_equal(id_of('a'), text_of(find_order("remove"), "container"));
    answer("remove", "");
}

static void the_next_start_waits_until_the_name_is_free(void **state)
{
    struct heard heard;
    struct heard again;

    (void)state;
    start("a1", 'a', &heard);
    tell_event("die", 'a', 1);
    assert_int_equal(DRIVER_EXITED, heard.end);
    assert_string_equal("exit status 1", heard.why);
    order_start("a1", true, &again);
    assert_null(find_order("create"));
    answer("remove", "");
    answer_created('b');
    answer_running("start", 'b', "a1");
    assert_int_equal(1, again.starts);
    stop_all(&again);
}

static void out_of_memory_is_said(void **state)
{
    struct heard heard;

    (void)state;
    start("a1", 'a', &heard);
    tell_event("oom", 'a', 0);
    tell_event("die", 'a', 137);
    assert_int_equal(DRIVER_EXITED, heard.end);
    assert_string_equal("out of memory", heard.why);
}

static void events_of_other_containers_mean_nothing(void **state)
{
    struct heard heard;

    (void)state;
    start("a1", 'a', &heard);
    tell_event("die", 'b', 137);
    tell_event("pause", 'b', 0);
    assert_int_equal(0, heard.ends);
    stop_all(&heard);
}

static void an_earlier_container_of_the_same_replica_is_cleared_away(void **state)
{
    struct heard heard;
    char more[128];

    (void)state;
    order_start("a1", true, &heard);
    snprintf(more, sizeof(more), ",\"container\":\"%s\"", id_of('x'));
    refuse("create", -EALREADY, more);
    assert_string_equal(id_of('x'), text_of(find_order("remove"), "container"));
    answer("remove", "");
    answer_created('b');
    answer_running("start", 'b', "a1");
    assert_int_equal(1, heard.starts);
    stop_all(&heard);
}

static void a_name_another_replica_has_gets_a_hash(void **state)
{
    struct heard heard;

    (void)state;
    order_start("Server 1", true, &heard);
    refuse("create", -EADDRINUSE, "");
    assert_memory_equal("Server-1-", text_of(find_order("create"), "name"), 9);
    answer_created('b');
    answer_running("start", 'b', "Server 1");
    stop_all(&heard);
}

static void a_foreign_container_of_that_name_is_a_conflict(void **state)
{
    struct heard heard;

    (void)state;
    order_start("a1", true, &heard);
    refuse("create", -EEXIST, "");
    assert_int_equal(1, heard.failures);
    assert_int_equal(-EEXIST, heard.result);
    assert_string_equal("because", heard.why);
}

static void an_image_that_is_not_there_is_a_failure_with_its_reason(void **state)
{
    struct heard heard;

    (void)state;
    order_start("a1", true, &heard);
    refuse("create", -ENOENT, "");
    assert_int_equal(1, heard.failures);
    assert_string_equal("because", heard.why);
}

static void a_name_that_never_gets_free_is_not_tried_for_ever(void **state)
{
    struct heard heard;
    unsigned tries = 0;

    (void)state;
    order_start("a1", true, &heard);
    while (!heard.failures && tries < 100) {
        tries++;
        refuse("create", -EAGAIN, "");
        turn_ms(300);
    }
    assert_int_equal(DRIVER_DOCKER_TRIES_MAX, tries);
}

static void a_container_that_ends_at_once_is_a_failure_and_is_removed(void **state)
{
    struct heard heard;

    (void)state;
    order_start("a1", true, &heard);
    answer_created('a');
    answer("start", ",\"running\":false,\"exit_code\":3");
    assert_int_equal(1, heard.failures);
    assert_non_null(strstr(heard.why, "exit status 3"));
    answer("remove", "");
}

static void an_end_heard_before_the_answer_to_the_start_counts(void **state)
{
    struct heard heard;

    (void)state;
    order_start("a1", true, &heard);
    answer_created('a');
    tell_event("die", 'a', 1);
    answer_running("start", 'a', "a1");
    assert_int_equal(0, heard.starts);
    assert_int_equal(1, heard.failures);
    answer("remove", "");
}

static void stop_gives_the_grace_and_is_told_when_nothing_is_left(void **state)
{
    struct heard heard;

    (void)state;
    start("a1", 'a', &heard);
    driver->calls->stop(heard.run, 4500);
    turn();
    assert_int_equal(5, json_integer_value(json_object_get(find_order("stop"), "grace")));
    tell_event("die", 'a', 0);
    assert_int_equal(0, heard.ends);
    answer("remove", "");
    assert_int_equal(1, heard.ends);
    answer("stop", "");
    assert_int_equal(1, heard.ends);
}

static void one_that_is_stopped_while_it_is_created_is_removed(void **state)
{
    struct heard heard;

    (void)state;
    order_start("a1", true, &heard);
    driver->calls->stop(heard.run, 1000);
    turn();
    answer_created('a');
    assert_null(find_order("start"));
    answer("remove", "");
    assert_int_equal(1, heard.failures);
}

static void one_that_waits_for_its_turn_is_stopped_without_the_engine(void **state)
{
    struct heard heard[DRIVER_DOCKER_STARTS_MAX + 1];
    char name[8];

    (void)state;
    for (unsigned i = 0; i <= DRIVER_DOCKER_STARTS_MAX; i++) {
        snprintf(name, sizeof(name), "a%u", i);
        order_start(name, true, &heard[i]);
    }
    assert_int_equal(DRIVER_DOCKER_STARTS_MAX, count_orders("create"));
    driver->calls->stop(heard[DRIVER_DOCKER_STARTS_MAX].run, 1000);
    turn();
    assert_int_equal(1, heard[DRIVER_DOCKER_STARTS_MAX].failures);
    for (unsigned i = 0; i < DRIVER_DOCKER_STARTS_MAX; i++)
        refuse("create", -ENOENT, "");
}

static void starts_go_on_when_others_are_done(void **state)
{
    struct heard heard[20];
    char name[8];
    unsigned started = 0;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(heard); i++) {
        snprintf(name, sizeof(name), "a%u", i);
        order_start(name, true, &heard[i]);
    }
    while (find_order("create")) {
        assert_true(count_orders("create") <= DRIVER_DOCKER_STARTS_MAX);
        refuse("create", -ENOENT, "");
        started++;
    }
    assert_int_equal(ARRAY_SIZE(heard), started);
}

static void a_stop_the_engine_does_not_answer_is_given_up(void **state)
{
    struct heard heard;

    (void)state;
    start("a1", 'a', &heard);
    driver->calls->stop(heard.run, 1000);
    turn();
    for (unsigned i = 0; i < 200 && !heard.ends; i++) {
        if (find_order("stop"))
            refuse("stop", -EHOSTDOWN, "");
        if (find_order("remove"))
            refuse("remove", -EHOSTDOWN, "");
        turn_ms(200);
    }
    assert_int_equal(1, heard.ends);
    assert_int_equal(DRIVER_LOST, heard.end);
    assert_in_range(now_us, 1000 * CLOCK_US_PER_S, 1040 * CLOCK_US_PER_S);
}

static void what_an_earlier_keeper_started_is_adopted(void **state)
{
    const struct driver_order order = {.name = "a1", .may_wait = true};
    struct heard heard = {0};

    (void)state;
    assert_int_equal(
        0, driver->calls->adopt(driver, &order, id_of('a'), &events, &heard, &heard.run, NULL));
    turn();
    assert_null(find_order("create"));
    answer_running("inspect", 'a', "a1");
    assert_int_equal(1, heard.starts);
    tell_event("die", 'a', 143);
    assert_int_equal(1, heard.ends);
    assert_int_equal(DRIVER_KILLED, heard.end);
}

static void what_is_another_replicas_or_gone_is_not_adopted(void **state)
{
    const struct driver_order order = {.name = "a1", .may_wait = true};
    struct heard heard = {0};
    struct heard gone = {0};

    (void)state;
    assert_int_equal(
        0, driver->calls->adopt(driver, &order, id_of('a'), &events, &heard, &heard.run, NULL));
    assert_int_equal(
        0, driver->calls->adopt(driver, &order, id_of('b'), &events, &gone, &gone.run, NULL));
    turn();
    answer_running("inspect", 'a', "a2");
    refuse("inspect", -ENOENT, "");
    assert_int_equal(1, heard.failures);
    assert_int_equal(1, gone.failures);
    assert_null(find_order("remove"));
    assert_int_equal(-EINVAL, driver->calls->adopt(driver, &order, "1234 5 6", &events, &heard,
                                                   &heard.run, NULL));
}

static void a_stray_is_stopped_politely(void **state)
{
    const struct driver_order order = {.name = "a1"};
    struct heard heard = {0};

    (void)state;
    assert_int_equal(
        0, driver->calls->adopt(driver, &order, id_of('a'), &events, &heard, &heard.run, NULL));
    driver->calls->stop(heard.run, 5000);
    turn();
    assert_int_equal(5, json_integer_value(json_object_get(find_order("stop"), "grace")));
    answer("stop", "");
    answer("remove", "");
    assert_int_equal(1, heard.failures);
}

static void what_is_let_go_runs_on(void **state)
{
    struct heard heard;

    (void)state;
    start("a1", 'a', &heard);
    driver->calls->let_go(heard.run);
    turn();
    tell_event("die", 'a', 1);
    assert_int_equal(0, heard.ends);
    assert_null(find_order("stop"));
    assert_null(find_order("remove"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_replica_is_created_started_and_told),
        TEST(an_end_is_told_before_the_container_is_removed),
        TEST(the_next_start_waits_until_the_name_is_free),
        TEST(out_of_memory_is_said),
        TEST(events_of_other_containers_mean_nothing),
        TEST(an_earlier_container_of_the_same_replica_is_cleared_away),
        TEST(a_name_another_replica_has_gets_a_hash),
        TEST(a_foreign_container_of_that_name_is_a_conflict),
        TEST(an_image_that_is_not_there_is_a_failure_with_its_reason),
        TEST(a_name_that_never_gets_free_is_not_tried_for_ever),
        TEST(a_container_that_ends_at_once_is_a_failure_and_is_removed),
        TEST(an_end_heard_before_the_answer_to_the_start_counts),
        TEST(stop_gives_the_grace_and_is_told_when_nothing_is_left),
        TEST(one_that_is_stopped_while_it_is_created_is_removed),
        TEST(one_that_waits_for_its_turn_is_stopped_without_the_engine),
        TEST(starts_go_on_when_others_are_done),
        TEST(a_stop_the_engine_does_not_answer_is_given_up),
        TEST(what_an_earlier_keeper_started_is_adopted),
        TEST(what_is_another_replicas_or_gone_is_not_adopted),
        TEST(a_stray_is_stopped_politely),
        TEST(what_is_let_go_runs_on),
    };

    return cmocka_run_group_tests_name("replica/driver_docker", tests, NULL, NULL);
}
