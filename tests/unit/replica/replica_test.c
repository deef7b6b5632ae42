#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/replica.h"

static void every_state_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned a = 0; a < REPLICA_STATES; a++) {
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(replica_state_name(a), replica_state_name(b));
    }
    assert_string_equal("draining", replica_state_name(REPLICA_DRAINING));
}

/* Follows the ways: every state can be reached from the first one, and every one can end. */
static void every_state_can_be_reached_and_can_end(void **state)
{
    bool reached[REPLICA_STATES] = {[REPLICA_STARTING] = true};
    bool ends[REPLICA_STATES] = {[REPLICA_GONE] = true};

    (void)state;
    for (unsigned round = 0; round < REPLICA_STATES; round++) {
        for (unsigned from = 0; from < REPLICA_STATES; from++) {
            for (unsigned to = 0; to < REPLICA_STATES; to++) {
                if (!replica_may_become(from, to))
                    continue;
                reached[to] = reached[to] || reached[from];
                ends[from] = ends[from] || ends[to];
            }
        }
    }
    for (unsigned i = 0; i < REPLICA_STATES; i++) {
        assert_true(reached[i]);
        assert_true(ends[i]);
    }
}

static void one_that_leaves_never_comes_back(void **state)
{
    const enum replica_state leaving[] = {REPLICA_DRAINING, REPLICA_STOPPING, REPLICA_GONE};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(leaving); i++) {
        for (unsigned to = 0; to < REPLICA_STATES; to++) {
            struct replica replica = {.state = to};

            if (replica_may_become(leaving[i], to))
                assert_true(replica_is_leaving(&replica));
        }
    }
}

static void nothing_is_used_that_was_not_ready_first(void **state)
{
    const enum replica_state used[] = {REPLICA_WARMING, REPLICA_UP, REPLICA_DOWN};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(used); i++) {
        assert_false(replica_may_become(REPLICA_STARTING, used[i]));
        assert_false(replica_may_become(REPLICA_DEAD, used[i]));
        assert_false(replica_may_become(REPLICA_PARKED, used[i]));
    }
}

static void a_change_keeps_its_reason_and_time(void **state)
{
    struct replica replica = {.state = REPLICA_UP, .why = "old"};

    (void)state;
    replica_become(&replica, REPLICA_DOWN, 77, "no answer");
    assert_int_equal(REPLICA_DOWN, replica.state);
    assert_string_equal("no answer", replica.why);
    assert_int_equal(77, replica.since_us);
    replica_become(&replica, REPLICA_DEAD, 78, replica.why);
    assert_string_equal("no answer", replica.why);
    replica_become(&replica, REPLICA_STARTING, 79, NULL);
    assert_string_equal("", replica.why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_a_name_of_its_own),
        cmocka_unit_test(every_state_can_be_reached_and_can_end),
        cmocka_unit_test(one_that_leaves_never_comes_back),
        cmocka_unit_test(nothing_is_used_that_was_not_ready_first),
        cmocka_unit_test(a_change_keeps_its_reason_and_time),
    };

    return cmocka_run_group_tests_name("replica/replica", tests, NULL, NULL);
}
