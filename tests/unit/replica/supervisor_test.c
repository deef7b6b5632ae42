#include "any_supervisor.h"

static void crash_one(const char *name)
{
    any_run_end(any_driver_last(&driver, name), DRIVER_EXITED, "exit status 1");
}

/* ---- adding ---- */

static void three_that_are_added_are_up_once_confirmed(void **state)
{
    const char *const names[] = {"Server 1", "Server 2", "Server 3"};

    (void)state;
    assert_int_equal(0, add(names, 3));
    assert_int_equal(0, added_count);
    any_pass(20 * ANY_MS);
    assert_int_equal(1, added_count);
    assert_int_equal(0, added_result);
    assert_int_equal(0, ready_count);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(REPLICA_UP, find(names[i])->state);
        assert_int_equal(i, find(names[i])->seat);
        assert_true(find(names[i])->pid > 0);
        assert_int_equal(address_port(&find(names[i])->address),
                         any_driver_last(&driver, names[i])->port);
    }
    assert_int_equal(3, driver.count);
}

static void adding_waits_for_the_slowest(void **state)
{
    const char *const names[] = {"a", "b"};

    (void)state;
    any_answers[4002] = ANY_REFUSES;
    assert_int_equal(0, add(names, 2));
    any_pass(2 * ANY_S);
    assert_int_equal(0, added_count);
    assert_int_equal(REPLICA_READY, find("a")->state);
    any_answers[4002] = ANY_OK;
    any_pass(ANY_S);
    assert_int_equal(1, added_count);
    assert_int_equal(0, added_result);
}

static void one_that_is_not_ready_in_time_takes_all_of_its_call_back(void **state)
{
    const char *const names[] = {"a", "b"};
    struct replica *old = raise_one("old");

    (void)state;
    any_answers[4003] = ANY_REFUSES;
    assert_int_equal(0, add(names, 2));
    any_pass(9 * ANY_S);
    assert_int_equal(1, added_count);
    any_pass(2 * ANY_S);
    assert_int_equal(2, added_count);
    assert_int_equal(-ETIMEDOUT, added_result);
    assert_string_equal("b: not ready within 10000 ms: /heartbeat: connection refused", added_why);
    assert_null(find("a"));
    assert_null(find("b"));
    assert_int_equal(2, gone_count);
    assert_int_equal(REPLICA_UP, old->state);
    assert_int_equal(1, supervisor.count);
}

static void a_command_that_cannot_run_fails_at_once(void **state)
{
    (void)state;
    driver.starts = ANY_FAILS;
    assert_int_equal(0, add_one("a"));
    any_pass(10 * ANY_MS);
    assert_int_equal(1, added_count);
    assert_int_equal(-ENOEXEC, added_result);
    assert_string_equal("a: cannot run './app'", added_why);
    assert_int_equal(1, gone_count);
    assert_int_equal(0, supervisor.count);
}

static void a_driver_that_refuses_at_once_fails_at_once(void **state)
{
    (void)state;
    driver.starts = ANY_CANNOT;
    assert_int_equal(0, add_one("a"));
    assert_int_equal(0, added_count);
    any_pass(10 * ANY_MS);
    assert_int_equal(1, added_count);
    assert_string_equal("a: no process can be had", added_why);
    assert_int_equal(1, gone_count);
}

static void one_that_ends_before_it_is_ready_is_tried_once_more(void **state)
{
    (void)state;
    driver.starts = ANY_ENDS;
    assert_int_equal(0, add_one("a"));
    any_pass(10 * ANY_MS);
    assert_int_equal(2, driver.count);
    assert_int_equal(1, added_count);
    assert_int_equal(-ECHILD, added_result);
    assert_string_equal("a: exit status 1", added_why);
    assert_int_equal(1, gone_count);
}

static void a_name_is_there_once_and_free_as_soon_as_it_leaves(void **state)
{
    const char *const twice[] = {"b", "b"};

    (void)state;
    raise_one("a");
    assert_int_equal(-EEXIST, add_one("a"));
    assert_int_equal(-EEXIST, add(twice, 2));
    is_idle = false;
    supervisor_leave(&supervisor, find("a"));
    assert_int_equal(0, add_one("a"));
    any_pass(20 * ANY_MS);
    assert_int_equal(REPLICA_UP, find("a")->state);
    assert_int_equal(2, supervisor.count);
}

static void one_taken_away_before_it_is_ready_ends_its_call(void **state)
{
    (void)state;
    any_answers[4001] = ANY_REFUSES;
    assert_int_equal(0, add_one("a"));
    any_pass(ANY_S);
    supervisor_drain(&supervisor, find("a"), 0);
    assert_int_equal(0, added_count);
    any_turn();
    assert_int_equal(1, added_count);
    assert_int_equal(-ECANCELED, added_result);
    assert_int_equal(1, gone_count);
}

static void at_most_32_are_being_started_at_once(void **state)
{
    struct supervisor_wish wishes[100];
    char names[100][8];

    (void)state;
    for (unsigned port = 4000; port < 4200; port++)
        any_answers[port] = ANY_REFUSES;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(names[i], sizeof(names[i]), "r%u", i);
        wishes[i] = (struct supervisor_wish){.name = names[i], .plan = &plan};
    }
    assert_int_equal(0, supervisor_add(&supervisor, wishes, 100, note_added, NULL, NULL));
    any_pass(2 * ANY_S);
    assert_int_equal(32, driver.count);
    for (unsigned port = 4000; port < 4200; port++)
        any_answers[port] = ANY_OK;
    any_pass(2 * ANY_S);
    assert_int_equal(1, added_count);
    assert_int_equal(0, added_result);
    assert_int_equal(100, driver.count);
    assert_int_equal(0, supervisor.starting);
}

/* ---- healing ---- */

static void a_killed_one_comes_back_under_its_name_in_its_seat_at_its_address(void **state)
{
    struct replica *replica;
    uint32_t incarnation;
    uint16_t port;

    (void)state;
    raise_one("other");
    replica = raise_one("a");
    incarnation = replica->incarnation;
    port = address_port(&replica->address);
    any_pass(2 * ANY_S);
    confirms_at_once = false;
    kill_one("a");
    assert_int_equal(REPLICA_STARTING, replica->state);
    assert_int_not_equal(incarnation, replica->incarnation);
    any_pass(12 * ANY_MS);
    assert_int_equal(1, ready_count);
    assert_ptr_equal(replica, last_ready);
    assert_int_equal(REPLICA_READY, replica->state);
    assert_int_equal(port, address_port(&replica->address));
    assert_true(any_driver_last(&driver, "a")->had_previous);
    supervisor_confirm(&supervisor, replica, incarnation);
    assert_int_equal(REPLICA_READY, replica->state);
    supervisor_confirm(&supervisor, replica, replica->incarnation);
    assert_int_equal(REPLICA_UP, replica->state);
    assert_ptr_equal(replica, find("a"));
    assert_int_equal(1, replica->seat);
    assert_int_equal(1, replica->restarts);
    assert_in_range(replica->healed_us, 1, 20 * ANY_MS);
}

static void twenty_kills_are_healed_at_once_each(void **state)
{
    struct replica *replica = raise_one("a");

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        any_pass(1500 * ANY_MS);
        kill_one("a");
        any_pass(20 * ANY_MS);
        assert_int_equal(REPLICA_UP, replica->state);
    }
    assert_int_equal(21, driver.count);
}

static void heals_go_before_new_ones_and_do_not_wait_for_them(void **state)
{
    struct supervisor_wish wishes[64];
    char names[64][8];
    struct replica *replica = raise_one("a");

    (void)state;
    any_pass(2 * ANY_S);
    for (unsigned port = 4002; port < 4100; port++)
        any_answers[port] = ANY_REFUSES;
    for (unsigned i = 0; i < 64; i++) {
        snprintf(names[i], sizeof(names[i]), "r%u", i);
        wishes[i] = (struct supervisor_wish){.name = names[i], .plan = &plan};
    }
    assert_int_equal(0, supervisor_add(&supervisor, wishes, 64, note_added, NULL, NULL));
    any_pass(ANY_S);
    kill_one("a");
    any_pass(20 * ANY_MS);
    assert_int_equal(REPLICA_UP, replica->state);
}

static void a_crash_loop_is_parked_and_leaves_the_others_alone(void **state)
{
    struct replica *well = raise_one("well");
    struct replica *bad = raise_one("bad");
    uint64_t begin_us = any_now_us;
    bool was_parked = false;

    (void)state;
    driver.starts = ANY_ENDS;
    crash_one("bad");
    while (any_now_us < begin_us + 600 * ANY_S) {
        any_pass(100 * ANY_MS);
        was_parked = was_parked || bad->state == REPLICA_PARKED;
        if (bad->state == REPLICA_PARKED)
            assert_true(bad->next_start_us > any_now_us - 100 * ANY_MS);
    }
    assert_true(was_parked);
    assert_in_range(driver.count, 2 + 8, 1 + 12);
    assert_string_equal("exit status 1", bad->why);
    assert_int_equal(REPLICA_UP, well->state);
    assert_int_equal(0, well->restarts);
    driver.starts = ANY_STARTS;
    any_pass(300 * ANY_S);
    assert_int_equal(REPLICA_UP, bad->state);
}

static void a_heal_that_cannot_start_is_tried_again(void **state)
{
    struct replica *replica = raise_one("a");

    (void)state;
    any_pass(2 * ANY_S);
    driver.starts = ANY_CANNOT;
    kill_one("a");
    any_pass(200 * ANY_MS);
    assert_int_equal(REPLICA_DEAD, replica->state);
    assert_string_equal("no process can be had", replica->why);
    driver.starts = ANY_STARTS;
    any_pass(2 * ANY_S);
    assert_int_equal(REPLICA_UP, replica->state);
}

static void a_heal_that_is_not_ready_in_time_is_started_anew(void **state)
{
    struct replica *replica = raise_one("a");

    (void)state;
    any_answers[4001] = ANY_REFUSES;
    kill_one("a");
    any_pass(10500 * ANY_MS);
    assert_true(any_driver_last(&driver, "a")->is_stopped || driver.count > 2);
    assert_int_not_equal(REPLICA_UP, replica->state);
    any_answers[4001] = ANY_OK;
    any_pass(10 * ANY_S);
    assert_int_equal(REPLICA_UP, replica->state);
    assert_true(replica->restarts >= 2);
}

static void an_incarnation_of_a_seat_is_never_used_again(void **state)
{
    uint32_t seen[8];

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct replica *replica = raise_one("a");

        assert_int_equal(0, replica->seat);
        seen[i] = replica->incarnation;
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(seen[j], seen[i]);
        supervisor_drain(&supervisor, replica, 0);
        any_turn();
    }
}

/* ---- health ---- */

static void one_that_hangs_is_down_and_up_again_in_the_same_incarnation(void **state)
{
    struct replica *replica = raise_one("a");
    uint32_t incarnation = replica->incarnation;

    (void)state;
    any_pass(ANY_S);
    any_answers[4001] = ANY_SILENT;
    any_pass(1200 * ANY_MS);
    assert_int_equal(REPLICA_DOWN, replica->state);
    assert_string_equal("/heartbeat: no answer within 200 ms", replica->why);
    any_answers[4001] = ANY_OK;
    any_pass(1200 * ANY_MS);
    assert_int_equal(REPLICA_UP, replica->state);
    assert_int_equal(incarnation, replica->incarnation);
    assert_int_equal(1, driver.count);
}

static void a_keeper_that_was_stopped_takes_nobody_out(void **state)
{
    const char *const names[] = {"a", "b", "c"};

    (void)state;
    assert_int_equal(0, add(names, 3));
    any_pass(5 * ANY_S);
    for (unsigned i = 0; i < 20; i++) {
        any_pass(i * 31 * ANY_MS);
        any_sleep(5 * ANY_S);
        any_turn();
        any_pass(500 * ANY_MS);
    }
    assert_null(strstr(states, "down"));
    assert_int_equal(3, driver.count);
}

static void one_that_hangs_for_too_long_is_started_anew_one_after_the_other(void **state)
{
    const char *const names[] = {"a", "b"};

    (void)state;
    plan.hang_ms = 10000;
    driver.is_stubborn = true;
    assert_int_equal(0, add(names, 2));
    any_pass(2 * ANY_S);
    any_answers[4001] = any_answers[4002] = ANY_SILENT;
    any_pass(15 * ANY_S);
    assert_int_not_equal(driver.runs[0]->is_stopped, driver.runs[1]->is_stopped);
    any_answers[4001] = any_answers[4002] = ANY_OK;
    /* The other one is up again before its turn could come. */
    any_pass(1200 * ANY_MS);
    kill_one(driver.runs[0]->is_stopped ? "a" : "b");
    /* Probes go over real sockets: on a busy machine they take more passes than on a quiet one. */
    for (int i = 0; i < 20 && (find("a")->state != REPLICA_UP || find("b")->state != REPLICA_UP);
         i++)
        any_pass(500 * ANY_MS);
    assert_int_equal(REPLICA_UP, find("a")->state);
    assert_int_equal(REPLICA_UP, find("b")->state);
    assert_int_equal(3, driver.count);
}

static void a_replica_warms_up_where_the_plan_says_so(void **state)
{
    (void)state;
    plan.warming_ms = 3000;
    assert_int_equal(0, add_one("a"));
    any_pass(20 * ANY_MS);
    assert_int_equal(REPLICA_WARMING, find("a")->state);
    any_pass(3100 * ANY_MS);
    assert_int_equal(REPLICA_UP, find("a")->state);
}

static void what_others_run_is_waited_for(void **state)
{
    struct supervisor_wish wish = {.name = "a", .plan = &plan};

    (void)state;
    driver.driver.can_restart = false;
    plan.hang_ms = 1000;
    assert_int_equal(-ENOTSUP, add_one("a"));
    any_answers[4001] = ANY_REFUSES;
    assert_int_equal(0, supervisor_restore(&supervisor, &wish, 1, NULL));
    any_pass(60 * ANY_S);
    assert_int_equal(REPLICA_STARTING, find("a")->state);
    assert_int_equal(1, driver.count);
    any_answers[4001] = ANY_OK;
    any_pass(ANY_S);
    assert_int_equal(REPLICA_UP, find("a")->state);
    any_answers[4001] = ANY_REFUSES;
    any_pass(60 * ANY_S);
    assert_int_equal(REPLICA_DOWN, find("a")->state);
    assert_false(driver.runs[0]->is_stopped);
}

/* ---- leaving ---- */

static void a_drain_ends_when_nothing_is_in_flight(void **state)
{
    struct replica *replica = raise_one("a");

    (void)state;
    is_idle = false;
    supervisor_leave(&supervisor, replica);
    assert_int_equal(REPLICA_DRAINING, replica->state);
    any_pass(30 * ANY_S);
    assert_int_equal(REPLICA_DRAINING, replica->state);
    supervisor_drain(&supervisor, replica, 10000);
    any_pass(2 * ANY_S);
    assert_int_equal(REPLICA_DRAINING, replica->state);
    is_idle = true;
    any_pass(30 * ANY_MS);
    assert_int_equal(1, gone_count);
    assert_int_equal(5000, driver.runs[0]->grace_ms);
    assert_int_equal(0, supervisor.count);
}

static void a_drain_ends_when_its_time_is_over(void **state)
{
    (void)state;
    is_idle = false;
    supervisor_drain(&supervisor, raise_one("a"), 10000);
    any_pass(9900 * ANY_MS);
    assert_int_equal(0, gone_count);
    any_pass(200 * ANY_MS);
    assert_int_equal(1, gone_count);
}

static void one_that_ends_while_it_leaves_is_not_healed_and_waits_for_its_drain(void **state)
{
    struct replica *replica = raise_one("a");

    (void)state;
    supervisor_leave(&supervisor, replica);
    kill_one("a");
    any_pass(ANY_S);
    assert_int_equal(1, driver.count);
    assert_int_equal(0, gone_count);
    supervisor_drain(&supervisor, replica, 10000);
    assert_int_equal(0, gone_count);
    any_turn();
    assert_int_equal(1, gone_count);
}

static void one_that_ends_while_it_drains_is_gone(void **state)
{
    struct replica *replica = raise_one("a");

    (void)state;
    is_idle = false;
    supervisor_drain(&supervisor, replica, 10000);
    any_pass(ANY_S);
    kill_one("a");
    any_pass(30 * ANY_MS);
    assert_int_equal(1, gone_count);
}

static void a_parked_one_can_leave(void **state)
{
    struct replica *replica = raise_one("a");

    (void)state;
    driver.starts = ANY_ENDS;
    crash_one("a");
    any_pass(60 * ANY_S);
    assert_int_equal(REPLICA_PARKED, replica->state);
    supervisor_drain(&supervisor, replica, 10000);
    any_turn();
    assert_int_equal(1, gone_count);
}

/* ---- stopping ---- */

static void stopping_drains_all_and_tells_once(void **state)
{
    const char *const names[] = {"a", "b", "c"};

    (void)state;
    assert_int_equal(0, add(names, 3));
    any_pass(ANY_S);
    is_idle = false;
    supervisor_stop(&supervisor, 2000, note_stopped, NULL);
    assert_int_equal(-ESHUTDOWN, add_one("d"));
    any_pass(ANY_S);
    assert_int_equal(0, stopped_count);
    is_idle = true;
    any_pass(100 * ANY_MS);
    assert_int_equal(1, stopped_count);
    assert_int_equal(3, gone_count);
    any_pass(ANY_S);
    assert_int_equal(1, stopped_count);
}

static void stopping_twice_kills(void **state)
{
    (void)state;
    driver.is_stubborn = true;
    raise_one("a");
    supervisor_stop(&supervisor, 2000, note_stopped, NULL);
    any_pass(ANY_S);
    assert_int_equal(5000, driver.runs[0]->grace_ms);
    assert_int_equal(0, stopped_count);
    supervisor_stop(&supervisor, 2000, note_stopped, NULL);
    assert_int_equal(0, driver.runs[0]->grace_ms);
    any_turn();
    assert_int_equal(1, stopped_count);
}

static void stopping_nothing_is_done_at_once(void **state)
{
    (void)state;
    supervisor_stop(&supervisor, 0, note_stopped, NULL);
    assert_int_equal(0, stopped_count);
    any_turn();
    assert_int_equal(1, stopped_count);
}

static void stopping_takes_back_what_is_being_added(void **state)
{
    (void)state;
    any_answers[4001] = ANY_REFUSES;
    assert_int_equal(0, add_one("a"));
    any_pass(ANY_S);
    supervisor_stop(&supervisor, 1000, note_stopped, NULL);
    any_pass(100 * ANY_MS);
    assert_int_equal(1, added_count);
    assert_true(added_result < 0);
    assert_int_equal(1, stopped_count);
}

/* ---- what an earlier keeper left ---- */

static void what_runs_is_adopted_the_rest_is_started_and_strays_are_stopped(void **state)
{
    const struct supervisor_wish wishes[] = {{.name = "a", .plan = &plan},
                                             {.name = "b", .plan = &plan}};

    (void)state;
    driver.found[0][0] = "a";
    driver.found[0][1] = "port=4100";
    driver.found[1][0] = "stray";
    driver.found[1][1] = "port=4101";
    driver.found[2][0] = "a";
    driver.found[2][1] = "port=4102";
    assert_int_equal(0, supervisor_restore(&supervisor, wishes, 2, NULL));
    assert_non_null(find("a"));
    any_pass(20 * ANY_MS);
    assert_int_equal(REPLICA_UP, find("a")->state);
    assert_int_equal(4100, address_port(&find("a")->address));
    assert_int_equal(0, find("a")->restarts);
    assert_string_equal("adopted", find("a")->why);
    assert_int_equal(REPLICA_UP, find("b")->state);
    assert_int_equal(2, ready_count);
    assert_int_equal(2, gone_count);
    assert_true(any_driver_last(&driver, "stray")->is_stopped);
    assert_int_equal(4, driver.count);
}

static void what_cannot_be_adopted_is_started(void **state)
{
    const struct supervisor_wish wish = {.name = "a", .plan = &plan};

    (void)state;
    driver.found[0][0] = "a";
    driver.found[0][1] = "no handle";
    assert_int_equal(0, supervisor_restore(&supervisor, &wish, 1, NULL));
    any_pass(20 * ANY_MS);
    assert_int_equal(REPLICA_UP, find("a")->state);
    assert_false(driver.runs[0]->is_adopted);
}

static void what_is_restored_is_tried_until_it_succeeds(void **state)
{
    const struct supervisor_wish wish = {.name = "a", .plan = &plan};

    (void)state;
    driver.starts = ANY_FAILS;
    assert_int_equal(0, supervisor_restore(&supervisor, &wish, 1, NULL));
    any_pass(20 * ANY_S);
    assert_true(driver.count > 3);
    driver.starts = ANY_STARTS;
    any_pass(60 * ANY_S);
    assert_int_equal(REPLICA_UP, find("a")->state);
}

static void a_sweep_stops_all_that_runs(void **state)
{
    (void)state;
    driver.found[0][0] = "a";
    driver.found[0][1] = "port=4100";
    driver.found[1][0] = "b";
    driver.found[1][1] = "port=4101";
    supervisor_sweep(&supervisor, &plan);
    supervisor_stop(&supervisor, 0, note_stopped, NULL);
    any_turn();
    assert_int_equal(2, gone_count);
    assert_int_equal(1, stopped_count);
}

static void finishing_leaves_running_what_runs(void **state)
{
    (void)state;
    raise_one("a");
    driver.found[0][0] = "a";
    driver.found[0][1] = "port=4001";
    supervisor_sweep(&supervisor, &plan);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(three_that_are_added_are_up_once_confirmed),
        TEST(adding_waits_for_the_slowest),
        TEST(one_that_is_not_ready_in_time_takes_all_of_its_call_back),
        TEST(a_command_that_cannot_run_fails_at_once),
        TEST(a_driver_that_refuses_at_once_fails_at_once),
        TEST(one_that_ends_before_it_is_ready_is_tried_once_more),
        TEST(a_name_is_there_once_and_free_as_soon_as_it_leaves),
        TEST(one_taken_away_before_it_is_ready_ends_its_call),
        TEST(at_most_32_are_being_started_at_once),
        TEST(a_killed_one_comes_back_under_its_name_in_its_seat_at_its_address),
        TEST(twenty_kills_are_healed_at_once_each),
        TEST(heals_go_before_new_ones_and_do_not_wait_for_them),
        TEST(a_crash_loop_is_parked_and_leaves_the_others_alone),
        TEST(a_heal_that_cannot_start_is_tried_again),
        TEST(a_heal_that_is_not_ready_in_time_is_started_anew),
        TEST(an_incarnation_of_a_seat_is_never_used_again),
        TEST(one_that_hangs_is_down_and_up_again_in_the_same_incarnation),
        TEST(a_keeper_that_was_stopped_takes_nobody_out),
        TEST(one_that_hangs_for_too_long_is_started_anew_one_after_the_other),
        TEST(a_replica_warms_up_where_the_plan_says_so),
        TEST(what_others_run_is_waited_for),
        TEST(a_drain_ends_when_nothing_is_in_flight),
        TEST(a_drain_ends_when_its_time_is_over),
        TEST(one_that_ends_while_it_leaves_is_not_healed_and_waits_for_its_drain),
        TEST(one_that_ends_while_it_drains_is_gone),
        TEST(a_parked_one_can_leave),
        TEST(stopping_drains_all_and_tells_once),
        TEST(stopping_twice_kills),
        TEST(stopping_nothing_is_done_at_once),
        TEST(stopping_takes_back_what_is_being_added),
        TEST(what_runs_is_adopted_the_rest_is_started_and_strays_are_stopped),
        TEST(what_cannot_be_adopted_is_started),
        TEST(what_is_restored_is_tried_until_it_succeeds),
        TEST(a_sweep_stops_all_that_runs),
        TEST(finishing_leaves_running_what_runs),
    };

    return cmocka_run_group_tests_name("replica/supervisor", tests, NULL, NULL);
}
