/* What becomes of a replica beyond its start and its end. */
#include "any_supervisor.h"

static void one_whose_end_is_not_explained_yet_is_dead_and_waits(void **state)
{
    struct replica *replica = raise_one("a");
    struct any_run *run = any_driver_last(&driver, "a");

    (void)state;
    any_pass(2 * ANY_S);
    run->run.events->on_ending(&run->run, "its container has ended");
    assert_int_equal(REPLICA_DEAD, replica->state);
    assert_string_equal("its container has ended", replica->why);
    /* Whoever has its address by then is not it. */
    any_pass(20 * ANY_S);
    assert_int_equal(REPLICA_DEAD, replica->state);
    assert_int_equal(1, driver.count);
    kill_one("a");
    any_pass(12 * ANY_MS);
    assert_string_equal("a:starting a:ready a:up a:dead a:dead a:starting a:ready a:up ", states);
    assert_int_equal(2, driver.count);
    assert_int_equal(REPLICA_UP, replica->state);
    assert_in_range(replica->healed_us, 20 * ANY_S, 21 * ANY_S);
}

static void what_others_run_waits_for_no_turn_to_start(void **state)
{
    enum { COUNT = 2 * SUPERVISOR_STARTS_MAX };
    struct supervisor_wish wishes[COUNT];
    char names[COUNT][8];

    (void)state;
    driver.driver.can_restart = false;
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), "r%u", i);
        wishes[i] = (struct supervisor_wish){.name = names[i], .plan = &plan};
        any_answers[4001 + i] = ANY_REFUSES;
    }
    any_answers[4000 + COUNT] = ANY_OK;
    assert_int_equal(0, supervisor_restore(&supervisor, wishes, COUNT, NULL));
    any_pass(ANY_S);
    assert_int_equal(COUNT, driver.count);
    assert_int_equal(REPLICA_UP, find(names[COUNT - 1])->state);
    assert_int_equal(REPLICA_STARTING, find(names[0])->state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_whose_end_is_not_explained_yet_is_dead_and_waits, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_others_run_waits_for_no_turn_to_start, begin, end),
    };

    return cmocka_run_group_tests_name("replica/life", tests, NULL, NULL);
}
