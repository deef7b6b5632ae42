#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/attribute.h"
#include "base/clock.h"
#include "base/random.h"
#include "net/timer.h"

#define TICKS(n)  ((uint64_t)(n)*TIMER_TICK_US)
#define START_US  UINT64_C(123456789)
#define RANGE_MAX (UINT64_C(1) << 30) /* ticks a wheel can tell apart */

struct alarm {
    struct timer timer;
    uint64_t due_us; /* the model: 0 where it should not ring */
    unsigned rings;
    struct alarm *restarts;
    struct alarm *stops;
    uint64_t restart_us;
};

static struct timer_wheel wheel;

static void on_alarm(struct timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);

    assert_false(timer_is_running(timer));
    alarm->rings++;
    if (alarm->stops)
        timer_stop(&alarm->stops->timer);
    if (alarm->restarts)
        timer_start(&wheel, &alarm->restarts->timer, alarm->restart_us);
}

static void run(uint64_t now_us)
{
    timer_wheel_run(&wheel, now_us);
}

static void a_timer_fires_once_at_its_time_and_never_early(void **state)
{
    struct alarm alarm = {0};

    (void)state;
    timer_wheel_init(&wheel, START_US);
    timer_init(&alarm.timer, on_alarm);
    assert_true(timer_wheel_next_us(&wheel) == TIMER_NEVER_US);
    timer_start(&wheel, &alarm.timer, START_US + 10000);
    assert_true(timer_is_running(&alarm.timer));
    assert_in_range(timer_wheel_next_us(&wheel), START_US + 10000, START_US + 10000 + TICKS(1));
    run(START_US + 9999);
    assert_int_equal(alarm.rings, 0);
    run(START_US + 10000 + TICKS(1));
    assert_int_equal(alarm.rings, 1);
    run(START_US + CLOCK_US_PER_S);
    assert_int_equal(alarm.rings, 1);
}

/* From phases just before, at and behind a place where several digits of the tick turn over. */
static void every_distance_up_to_beyond_the_range_is_exact_to_a_tick(void **state)
{
    static const uint64_t phases[] = {0,
                                      1,
                                      63,
                                      64,
                                      4095,
                                      (1 << 18) - 1,
                                      (1 << 24) - 1,
                                      1 << 24,
                                      RANGE_MAX - 1,
                                      RANGE_MAX,
                                      5 * RANGE_MAX - 3};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
        for (uint64_t power = 1; power <= 4 * RANGE_MAX; power *= 2) {
            for (int off = -2; off <= 2; off++) {
                uint64_t now = phases[i];
                uint64_t due = now + power + (uint64_t)off;
                struct alarm alarm = {0};

                if (power + (uint64_t)off - 1 > 8 * RANGE_MAX)
                    continue; /* not ahead */
                timer_wheel_init(&wheel, TICKS(now));
                timer_init(&alarm.timer, on_alarm);
                timer_start(&wheel, &alarm.timer, TICKS(due));
                /* As a loop would: from wake-up to wake-up. */
                for (int wakes = 0; !alarm.rings; wakes++) {
                    uint64_t next_us = timer_wheel_next_us(&wheel);

                    assert_true(wakes < 5 * (TIMER_LEVELS + 1));
                    assert_true(next_us > TICKS(now) && next_us <= TICKS(due));
                    now = next_us / TIMER_TICK_US;
                    run(next_us);
                }
                assert_int_equal(now, due);
                /* And in one leap that ends a tick too early, then at the time itself. */
                alarm.rings = 0;
                timer_wheel_init(&wheel, TICKS(phases[i]));
                timer_init(&alarm.timer, on_alarm);
                timer_start(&wheel, &alarm.timer, TICKS(due));
                run(TICKS(due) - 1);
                assert_int_equal(alarm.rings, 0);
                run(TICKS(due));
                assert_int_equal(alarm.rings, 1);
            }
        }
    }
}

static void a_deadline_that_has_passed_fires_at_the_next_run(void **state)
{
    struct alarm alarm = {0};

    (void)state;
    timer_wheel_init(&wheel, START_US);
    timer_init(&alarm.timer, on_alarm);
    timer_start(&wheel, &alarm.timer, 0);
    assert_true(timer_is_running(&alarm.timer));
    run(START_US + TICKS(1));
    assert_int_equal(alarm.rings, 1);
    timer_start(&wheel, &alarm.timer, UINT64_MAX);
    run(START_US + TICKS(RANGE_MAX * 3));
    assert_int_equal(alarm.rings, 1);
    timer_stop(&alarm.timer);
    timer_stop(&alarm.timer);
    assert_false(timer_is_running(&alarm.timer));
}

static void a_timer_put_off_again_and_again_fires_once_at_the_last_deadline(void **state)
{
    struct alarm alarm = {0};
    uint64_t now_us = START_US;

    (void)state;
    timer_wheel_init(&wheel, now_us);
    timer_init(&alarm.timer, on_alarm);
    for (int i = 0; i < 10000; i++) {
        timer_start(&wheel, &alarm.timer, now_us + TICKS(100));
        now_us += 3001;
        run(now_us);
    }
    assert_int_equal(alarm.rings, 0);
    run(now_us - 3001 + TICKS(100) - 1);
    assert_int_equal(alarm.rings, 0);
    run(now_us - 3001 + TICKS(101));
    assert_int_equal(alarm.rings, 1);
}

static void a_timer_brought_forward_fires_at_the_earlier_time(void **state)
{
    struct alarm alarm = {0};

    (void)state;
    timer_wheel_init(&wheel, START_US);
    timer_init(&alarm.timer, on_alarm);
    timer_start(&wheel, &alarm.timer, START_US + TICKS(100000));
    timer_start(&wheel, &alarm.timer, START_US + TICKS(200000));
    timer_start(&wheel, &alarm.timer, START_US + TICKS(5));
    run(START_US + TICKS(6));
    assert_int_equal(alarm.rings, 1);
    run(START_US + TICKS(300000));
    assert_int_equal(alarm.rings, 1);
}

/* A process that was stopped for an hour must not ring one timer once for each tick it missed. */
static void a_timer_started_from_its_own_expiry_waits_for_the_next_run(void **state)
{
    struct alarm alarm = {0};

    (void)state;
    timer_wheel_init(&wheel, START_US);
    timer_init(&alarm.timer, on_alarm);
    alarm.restarts = &alarm;
    alarm.restart_us = START_US + TICKS(3);
    timer_start(&wheel, &alarm.timer, START_US + TICKS(2));
    run(START_US + 3600 * CLOCK_US_PER_S);
    assert_int_equal(alarm.rings, 1);
    run(START_US + 3600 * CLOCK_US_PER_S);
    assert_int_equal(alarm.rings, 1);
    run(START_US + 3600 * CLOCK_US_PER_S + TICKS(1));
    assert_int_equal(alarm.rings, 2);
}

static void an_expiry_may_stop_and_put_off_timers_that_are_due_with_it(void **state)
{
    struct alarm first = {0};
    struct alarm second = {0};
    struct alarm third = {0};

    (void)state;
    timer_wheel_init(&wheel, START_US);
    timer_init(&first.timer, on_alarm);
    timer_init(&second.timer, on_alarm);
    timer_init(&third.timer, on_alarm);
    first.stops = &second;
    first.restarts = &third;
    first.restart_us = START_US + TICKS(1000);
    timer_start(&wheel, &first.timer, START_US + TICKS(2));
    timer_start(&wheel, &second.timer, START_US + TICKS(2));
    timer_start(&wheel, &third.timer, START_US + TICKS(2));
    run(START_US + TICKS(500));
    assert_int_equal(first.rings, 1);
    assert_int_equal(second.rings, 0);
    assert_int_equal(third.rings, 0);
    run(START_US + TICKS(999));
    assert_int_equal(third.rings, 0);
    run(START_US + TICKS(1001));
    assert_int_equal(third.rings, 1);
}

static uint64_t random_distance_us(void)
{
    static const uint64_t most[] = {TICKS(2), TICKS(70), TICKS(5000), TICKS(1 << 20),
                                    TICKS(2 * RANGE_MAX)};

    return random_below(most[random_below(ARRAY_SIZE(most))]) + 1;
}

/*
 * The model: each alarm that is due to the tick rings in the run that reaches its tick, no other
 * does, and the wheel never asks to be woken later than the earliest.
 */
static void check_run(struct alarm *alarms, int count, uint64_t now_us)
{
    run(now_us);
    for (int i = 0; i < count; i++) {
        uint64_t due_us = (alarms[i].due_us + TIMER_TICK_US - 1) / TIMER_TICK_US * TIMER_TICK_US;
        bool rings = alarms[i].due_us && due_us <= now_us;

        assert_int_equal(alarms[i].rings, rings);
        alarms[i].rings = 0;
        if (rings)
            alarms[i].due_us = 0;
        assert_int_equal(timer_is_running(&alarms[i].timer), alarms[i].due_us != 0);
    }
}

static void check_next(const struct alarm *alarms, int count)
{
    uint64_t next_us = timer_wheel_next_us(&wheel);

    for (int i = 0; i < count; i++) {
        if (alarms[i].due_us)
            assert_true(next_us < alarms[i].due_us + TIMER_TICK_US);
    }
}

static void the_wheel_agrees_with_a_list_over_many_random_operations(void **state)
{
    enum { COUNT = 40, OPERATIONS = 100000 };
    static struct alarm alarms[COUNT];
    uint64_t now_us = START_US;

    (void)state;
    random_seed(4);
    clock_set(now_us);
    timer_wheel_init(&wheel, clock_now_us());
    for (int i = 0; i < COUNT; i++)
        timer_init(&alarms[i].timer, on_alarm);
    for (int operation = 0; operation < OPERATIONS; operation++) {
        struct alarm *alarm = &alarms[random_below(COUNT)];
        uint64_t kind = random_below(10);

        if (kind < 3) {
            /* Not of this tick: it would ring a tick later than the model says. */
            alarm->due_us = now_us + TIMER_TICK_US + random_distance_us();
            timer_start(&wheel, &alarm->timer, alarm->due_us);
        } else if (kind < 4) {
            timer_stop(&alarm->timer);
            alarm->due_us = 0;
        } else if (kind < 7 && alarm->due_us) {
            alarm->due_us += random_distance_us();
            timer_start(&wheel, &alarm->timer, alarm->due_us);
        } else {
            uint64_t next_us = timer_wheel_next_us(&wheel);
            uint64_t leap_us = now_us + random_distance_us() / (random_below(50) ? 100 : 1);

            now_us = kind == 9 && next_us != TIMER_NEVER_US ? next_us : leap_us;
            clock_set(now_us);
            check_run(alarms, COUNT, clock_now_us());
        }
        if (operation % 10 == 0)
            check_next(alarms, COUNT);
    }
    clock_set(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_once_at_its_time_and_never_early),
        cmocka_unit_test(every_distance_up_to_beyond_the_range_is_exact_to_a_tick),
        cmocka_unit_test(a_deadline_that_has_passed_fires_at_the_next_run),
        cmocka_unit_test(a_timer_put_off_again_and_again_fires_once_at_the_last_deadline),
        cmocka_unit_test(a_timer_brought_forward_fires_at_the_earlier_time),
        cmocka_unit_test(a_timer_started_from_its_own_expiry_waits_for_the_next_run),
        cmocka_unit_test(an_expiry_may_stop_and_put_off_timers_that_are_due_with_it),
        cmocka_unit_test(the_wheel_agrees_with_a_list_over_many_random_operations),
    };

    return cmocka_run_group_tests_name("net/timer", tests, NULL, NULL);
}
