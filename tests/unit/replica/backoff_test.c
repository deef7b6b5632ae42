#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "replica/backoff.h"

#define S UINT64_C(1000000)

/* A replica that ends `run_us` after each start and is never up. Returns the starts in the first
 * `within_us`. */
static unsigned count_starts(uint64_t run_us, uint64_t within_us)
{
    struct backoff backoff = {0};
    uint64_t now_us = 100 * S;
    uint64_t end_us = now_us + within_us;
    unsigned starts = 0;
    bool is_kill = false;

    while (now_us < end_us) {
        backoff_note_start(&backoff, now_us, is_kill);
        starts++;
        now_us += run_us;
        now_us += backoff_delay_us(&backoff, now_us, 0, false, &is_kill);
    }
    return starts;
}

static void the_first_restart_is_at_once_and_the_next_delays_double(void **state)
{
    struct backoff backoff = {0};
    uint64_t now_us = 100 * S;
    bool is_kill;

    (void)state;
    assert_int_equal(0, backoff_delay_us(&backoff, now_us, 0, false, &is_kill));
    for (unsigned i = 0; i < 8; i++) {
        uint64_t delay_us = backoff_delay_us(&backoff, now_us, 0, false, &is_kill);
        uint64_t plain_us = S << i;

        assert_in_range(delay_us, plain_us * 80 / 100, plain_us * 120 / 100);
    }
    for (unsigned i = 0; i < 100; i++)
        assert_in_range(backoff_delay_us(&backoff, now_us, 0, false, &is_kill), 204 * S, 300 * S);
}

static void delays_are_jittered(void **state)
{
    uint64_t least_us = UINT64_MAX;
    uint64_t most_us = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        struct backoff backoff = {.crashes = 5};
        bool is_kill;
        uint64_t delay_us = backoff_delay_us(&backoff, 100 * S, 0, false, &is_kill);

        least_us = delay_us < least_us ? delay_us : least_us;
        most_us = delay_us > most_us ? delay_us : most_us;
    }
    /* 16 s ± 20 %: of 200 draws some are near both ends. */
    assert_in_range(least_us, 12800000, 13500000);
    assert_in_range(most_us, 18500000, 19200000);
}

static void a_crash_loop_makes_at_most_12_starts_in_10_minutes(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 50; seed++) {
        random_seed(seed);
        assert_in_range(count_starts(0, 600 * S), 8, 12);
        assert_in_range(count_starts(3 * S, 600 * S), 8, 12);
    }
}

/* Up for 20 s each time: well enough to be started at once, so only the window holds it. */
static void the_window_holds_one_that_crashes_after_being_well(void **state)
{
    struct backoff backoff = {0};
    uint64_t starts_us[200];
    uint64_t now_us = 100 * S;
    bool is_kill = false;
    unsigned count = 0;

    (void)state;
    while (count < 200) {
        backoff_note_start(&backoff, now_us, is_kill);
        starts_us[count++] = now_us;
        now_us += 20 * S;
        now_us += backoff_delay_us(&backoff, now_us, 20 * S, false, &is_kill);
        assert_false(is_kill);
    }
    for (unsigned i = 12; i < count; i++)
        assert_true(starts_us[i] - starts_us[i - 12] >= 600 * S);
}

static void one_that_was_well_and_is_killed_comes_back_at_once_every_time(void **state)
{
    struct backoff backoff = {0};
    uint64_t now_us = 100 * S;
    bool is_kill = false;

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        backoff_note_start(&backoff, now_us, is_kill);
        now_us += 2 * S;
        assert_int_equal(0, backoff_delay_us(&backoff, now_us, 2 * S, true, &is_kill));
        assert_true(is_kill);
    }
}

static void even_kills_have_a_limit(void **state)
{
    struct backoff backoff = {0};
    uint64_t now_us = 100 * S;
    uint64_t end_us = now_us + 600 * S;
    unsigned starts = 0;
    bool is_kill = false;

    (void)state;
    while (now_us < end_us) {
        backoff_note_start(&backoff, now_us, is_kill);
        starts++;
        now_us += 2 * S;
        now_us += backoff_delay_us(&backoff, now_us, 2 * S, true, &is_kill);
    }
    assert_in_range(starts, 60, 72);
}

static void one_killed_before_it_was_well_crashed(void **state)
{
    struct backoff backoff = {0};
    bool is_kill;

    (void)state;
    assert_int_equal(0, backoff_delay_us(&backoff, 100 * S, S / 2, true, &is_kill));
    assert_false(is_kill);
    assert_true(backoff_delay_us(&backoff, 100 * S, S / 2, true, &is_kill) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_restart_is_at_once_and_the_next_delays_double),
        cmocka_unit_test(delays_are_jittered),
        cmocka_unit_test(a_crash_loop_makes_at_most_12_starts_in_10_minutes),
        cmocka_unit_test(the_window_holds_one_that_crashes_after_being_well),
        cmocka_unit_test(one_that_was_well_and_is_killed_comes_back_at_once_every_time),
        cmocka_unit_test(even_kills_have_a_limit),
        cmocka_unit_test(one_killed_before_it_was_well_crashed),
    };

    return cmocka_run_group_tests_name("replica/backoff", tests, NULL, NULL);
}
