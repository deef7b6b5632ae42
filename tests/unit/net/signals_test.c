#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/signals.h"

#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

struct listening {
    struct loop loop;
    struct signals signals;
    uint32_t last;
    unsigned count;
    bool stops;
};

static void on_signal(struct signals *signals, uint32_t signal)
{
    struct listening *l = CONTAINER_OF(signals, struct listening, signals);

    l->last = signal;
    l->count++;
    if (l->stops)
        signals_stop(signals);
}

static void start(struct listening *l)
{
    static const int heard[] = {SIGUSR1, SIGTERM, 0};
    struct error why;

    *l = (struct listening){.count = 0};
    assert_int_equal(loop_init(&l->loop, &why), 0);
    assert_int_equal(signals_start(&l->signals, &l->loop, heard, on_signal, &why), 0);
}

static void stop(struct listening *l)
{
    signals_stop(&l->signals);
    loop_finish(&l->loop);
}

static void each_signal_that_is_listed_is_heard_in_the_loop(void **state)
{
    struct listening l;

    (void)state;
    start(&l);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(l.count, 0);
    loop_turn(&l.loop, 0);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.last, SIGTERM);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGUSR1);
    loop_turn(&l.loop, 0);
    assert_int_equal(l.count, 3);
    stop(&l);
}

static void whoever_hears_one_may_stop_hearing(void **state)
{
    struct listening l;
    sigset_t waiting;

    (void)state;
    start(&l);
    l.stops = true;
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGUSR1);
    loop_turn(&l.loop, 0);
    assert_int_equal(l.count, 1);
    loop_turn(&l.loop, 0);
    assert_int_equal(l.count, 1);
    /* The other one stays blocked, and harmless. */
    sigpending(&waiting);
    assert_int_equal(sigismember(&waiting, SIGTERM) + sigismember(&waiting, SIGUSR1), 1);
    stop(&l);
}

static void to_stop_what_never_started_is_harmless(void **state)
{
    struct signals signals = {.loop = NULL};

    (void)state;
    signals_stop(&signals);
    signals_stop(&signals);
}

static void a_broken_pipe_is_no_signal(void **state)
{
    struct listening l;
    int ends[2];

    (void)state;
    start(&l);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
    stop(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_signal_that_is_listed_is_heard_in_the_loop),
        cmocka_unit_test(a_broken_pipe_is_no_signal),
        cmocka_unit_test(to_stop_what_never_started_is_harmless),
        cmocka_unit_test(whoever_hears_one_may_stop_hearing),
    };

    return cmocka_run_group_tests_name("net/signals", tests, NULL, NULL);
}
