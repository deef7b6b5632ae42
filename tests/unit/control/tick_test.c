#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/tick.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define SEAT    5
#define WARM_MS 1000

/* Two workers and a replica that exist on paper only. */
struct fixture {
    struct loop loop;
    struct sock_group socks;
    struct supervisor supervisor;
    struct workers workers;
    struct workers_one ones[2];
    struct count_segment *counts[2];
    struct state_segment *states;
    struct replica_plan plan;
    struct replica replica;
    struct config_service service;
    struct config config;
    struct tick tick;
    uint64_t now_us;
    int states_fd;
};

static const struct supervisor_events no_events;

static int make(void **state)
{
    struct fixture *f = memory_allocate(sizeof(*f));
    struct error why;

    f->now_us = 1000000;
    clock_set(f->now_us);
    assert_int_equal(0, loop_init(&f->loop, &why));
    sock_group_init(&f->socks, &f->loop, 1 << 20);
    supervisor_init(&f->supervisor, &f->socks, &no_events, f);
    assert_int_equal(0, segments_create_state(&f->states_fd, &f->states, &why));
    f->workers.gone = memory_allocate(sizeof(*f->workers.gone));
    list_init(&f->workers.all);
    for (unsigned i = 0; i < 2; i++) {
        f->counts[i] = memory_allocate(sizeof(*f->counts[i]));
        f->ones[i].counts = f->counts[i];
        list_append(&f->workers.all, &f->ones[i].list);
    }
    f->plan.warming_ms = WARM_MS;
    f->replica.plan = &f->plan;
    f->replica.seat = SEAT;
    f->replica.state = REPLICA_UP;
    list_append(&f->supervisor.all, &f->replica.list);
    f->service.balance.bound_thousandths = CONFIG_OFF;
    f->config.services = &f->service;
    f->config.service_count = 1;
    *state = f;
    return 0;
}

static int destroy(void **state)
{
    struct fixture *f = *state;

    tick_finish(&f->tick);
    list_remove(&f->replica.list);
    supervisor_finish(&f->supervisor);
    loop_finish(&f->loop);
    sock_group_finish(&f->socks);
    segments_unmap_state(f->states);
    close(f->states_fd);
    free(f->counts[0]);
    free(f->counts[1]);
    free(f->workers.gone);
    free(f);
    clock_set(0);
    return 0;
}

static void init_tick(struct fixture *f)
{
    tick_init(&f->tick, &f->config, f->states, &f->supervisor, &f->workers);
}

static void pass(struct fixture *f, uint64_t us)
{
    f->now_us += us;
    clock_set(f->now_us);
    loop_turn(&f->loop, 0);
}

static uint32_t warm_percent(const struct fixture *f)
{
    return SEGMENTS_READ(f->states->seats[SEAT].warming_percent);
}

static void where_nobody_asks_nothing_runs(void **state)
{
    struct fixture *f = *state;

    init_tick(f);
    assert_false(timer_is_running(&f->tick.timer));
    SEGMENTS_SET(f->counts[0]->seats[SEAT].in_flight, 3);
    pass(f, 10 * TICK_US);
    assert_int_equal(0, SEGMENTS_READ(f->states->seats[SEAT].in_flight));
}

static void bounded_load_is_told_what_all_workers_have_in_flight(void **state)
{
    struct fixture *f = *state;

    f->service.balance.bound_thousandths = 1250;
    init_tick(f);
    SEGMENTS_SET(f->counts[0]->seats[SEAT].in_flight, 3);
    SEGMENTS_SET(f->counts[1]->seats[SEAT].in_flight, 4);
    pass(f, 2 * TICK_US);
    assert_int_equal(7, SEGMENTS_READ(f->states->seats[SEAT].in_flight));
    assert_int_equal(7, SEGMENTS_READ(f->states->in_flight));
    SEGMENTS_SET(f->counts[0]->seats[SEAT].in_flight, 0);
    pass(f, 2 * TICK_US);
    assert_int_equal(4, SEGMENTS_READ(f->states->seats[SEAT].in_flight));
}

static void schemes_that_look_at_the_load_are_told_too(void **state)
{
    struct fixture *f = *state;

    f->service.balance.scheme = CONFIG_SCHEME_LEAST_CONN;
    init_tick(f);
    assert_true(timer_is_running(&f->tick.timer));
    tick_finish(&f->tick);
    f->service.balance.scheme = CONFIG_SCHEME_P2C;
    init_tick(f);
    assert_true(timer_is_running(&f->tick.timer));
}

static void a_warming_replica_gets_more_and_more(void **state)
{
    struct fixture *f = *state;
    uint32_t before = 0;

    init_tick(f);
    f->replica.state = REPLICA_WARMING;
    f->replica.since_us = f->loop.now_us;
    tick_warm(&f->tick, &f->replica);
    assert_int_equal(TICK_WARM_FIRST_PERCENT, warm_percent(f));
    for (int i = 0; i < 10; i++) {
        pass(f, WARM_MS * CLOCK_US_PER_MS / 20);
        assert_true(warm_percent(f) >= before);
        before = warm_percent(f);
    }
    assert_in_range(before, 45, 55);
    pass(f, WARM_MS * CLOCK_US_PER_MS);
    assert_int_equal(100, warm_percent(f));
}

static void it_rests_when_all_are_warm(void **state)
{
    struct fixture *f = *state;

    init_tick(f);
    f->replica.state = REPLICA_WARMING;
    f->replica.since_us = f->loop.now_us;
    tick_warm(&f->tick, &f->replica);
    pass(f, 2 * TICK_US);
    assert_true(timer_is_running(&f->tick.timer));
    f->replica.state = REPLICA_UP;
    pass(f, 2 * TICK_US);
    assert_false(timer_is_running(&f->tick.timer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(where_nobody_asks_nothing_runs, make, destroy),
        cmocka_unit_test_setup_teardown(bounded_load_is_told_what_all_workers_have_in_flight, make,
                                        destroy),
        cmocka_unit_test_setup_teardown(schemes_that_look_at_the_load_are_told_too, make, destroy),
        cmocka_unit_test_setup_teardown(a_warming_replica_gets_more_and_more, make, destroy),
        cmocka_unit_test_setup_teardown(it_rests_when_all_are_warm, make, destroy),
    };

    return cmocka_run_group_tests_name("control/tick", tests, NULL, NULL);
}
