#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "net/loop.h"

#define NOW_US UINT64_C(1000000000)

static struct loop loop;
static char story[64]; /* a letter for each thing that happened */

static void tell(char letter)
{
    size_t size = strlen(story);

    assert_true(size + 1 < sizeof(story));
    story[size] = letter;
    story[size + 1] = 0;
}

static int start(void **state)
{
    (void)state;
    story[0] = 0;
    clock_set(NOW_US);
    return loop_init(&loop, NULL);
}

static int finish(void **state)
{
    (void)state;
    loop_finish(&loop);
    clock_set(0);
    return 0;
}

struct pair {
    struct watch watch;
    struct pair *victim;
    struct garbage garbage;
    int other;
};

static void pair_open(struct pair *pair)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    *pair = (struct pair){.watch.fd = ends[0], .other = ends[1]};
}

static void pair_close(struct pair *pair)
{
    loop_remove(&loop, &pair->watch);
    close(pair->watch.fd);
    close(pair->other);
}

static void on_pair(struct watch *watch, uint32_t events)
{
    struct pair *pair = CONTAINER_OF(watch, struct pair, watch);

    tell(events & EPOLLIN ? 'i' : 'e');
    if (pair->victim)
        loop_remove(&loop, &pair->victim->watch);
}

static void events_arrive_while_watched_and_never_after(void **state)
{
    struct pair pair;

    (void)state;
    pair_open(&pair);
    assert_int_equal(loop_add(&loop, &pair.watch, EPOLLIN, on_pair), 0);
    loop_turn(&loop, 0);
    assert_string_equal(story, "");
    assert_int_equal(write(pair.other, "x", 1), 1);
    loop_turn(&loop, 0);
    assert_string_equal(story, "i");
    assert_int_equal(loop_change(&loop, &pair.watch, 0), 0);
    loop_turn(&loop, 0);
    assert_string_equal(story, "i");
    assert_int_equal(loop_change(&loop, &pair.watch, EPOLLIN), 0);
    loop_turn(&loop, 0);
    assert_string_equal(story, "ii");
    loop_remove(&loop, &pair.watch);
    loop_remove(&loop, &pair.watch);
    loop_turn(&loop, 0);
    assert_string_equal(story, "ii");
    pair_close(&pair);
}

static void an_event_that_waits_in_the_same_turn_is_not_delivered_after_removal(void **state)
{
    struct pair pairs[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        pair_open(&pairs[i]);
        assert_int_equal(loop_add(&loop, &pairs[i].watch, EPOLLIN, on_pair), 0);
        assert_int_equal(write(pairs[i].other, "x", 1), 1);
        pairs[i].victim = &pairs[1 - i];
    }
    loop_turn(&loop, 0);
    assert_string_equal(story, "i");
    pair_close(&pairs[0]);
    pair_close(&pairs[1]);
}

static void what_epoll_refuses_is_an_error_and_not_watched(void **state)
{
    struct watch watch = {.fd = -1};

    (void)state;
    assert_int_equal(loop_add(&loop, &watch, EPOLLIN, on_pair), -EBADF);
    assert_null(watch.on_events);
    loop_remove(&loop, &watch);
}

struct task {
    struct ready ready;
    char letter;
    struct task *next;
};

static void run_task(struct ready *ready)
{
    struct task *task = CONTAINER_OF(ready, struct task, ready);

    tell(task->letter);
    if (task->next)
        loop_make_ready(&loop, &task->next->ready);
}

static void twice_ready_is_once_and_again_is_the_next_turn(void **state)
{
    struct task task = {.letter = 'a'};
    struct task other = {.letter = 'b'};

    (void)state;
    ready_init(&task.ready, run_task);
    ready_init(&other.ready, run_task);
    task.next = &task;
    loop_make_ready(&loop, &task.ready);
    loop_make_ready(&loop, &task.ready);
    loop_make_ready(&loop, &other.ready);
    loop_turn(&loop, UINT64_MAX);
    assert_string_equal(story, "ab");
    loop_turn(&loop, UINT64_MAX);
    assert_string_equal(story, "aba");
    ready_cancel(&task.ready);
    ready_cancel(&task.ready);
    loop_turn(&loop, 0);
    assert_string_equal(story, "aba");
}

static struct task cancelled = {.letter = 'x'};

static void run_and_cancel(struct ready *ready)
{
    (void)ready;
    tell('c');
    ready_cancel(&cancelled.ready);
}

static void a_cancelled_one_does_not_run_even_in_the_same_turn(void **state)
{
    struct ready first;

    (void)state;
    ready_init(&first, run_and_cancel);
    ready_init(&cancelled.ready, run_task);
    loop_make_ready(&loop, &first);
    loop_make_ready(&loop, &cancelled.ready);
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_string_equal(story, "c");
}

static void destroy_letter(struct garbage *garbage)
{
    static struct garbage again;

    tell('d');
    if (garbage != &again)
        loop_dispose(&loop, &again, destroy_letter);
}

static struct garbage first_garbage;

static void run_and_dispose(struct ready *ready)
{
    (void)ready;
    loop_dispose(&loop, &first_garbage, destroy_letter);
    tell('r');
}

static void memory_goes_at_the_end_of_the_turn_with_what_that_disposes(void **state)
{
    struct ready ready;

    (void)state;
    ready_init(&ready, run_and_dispose);
    loop_make_ready(&loop, &ready);
    loop_turn(&loop, 0);
    assert_string_equal(story, "rdd");
    loop_dispose(&loop, &first_garbage, destroy_letter);
    loop_turn(&loop, UINT64_MAX); /* does not wait */
    assert_string_equal(story, "rdddd");
    loop_dispose(&loop, &first_garbage, destroy_letter);
}

static void on_expiry(struct timer *timer)
{
    (void)timer;
    tell('t');
}

static void timers_follow_the_clock_of_the_turn(void **state)
{
    struct timer timer;

    (void)state;
    timer_init(&timer, on_expiry);
    loop_start_timer(&loop, &timer, 10 * CLOCK_US_PER_S);
    loop_turn(&loop, 0);
    assert_string_equal(story, "");
    clock_set(NOW_US + 10 * CLOCK_US_PER_S + TIMER_TICK_US);
    loop_turn(&loop, 0);
    assert_string_equal(story, "t");
}

static void a_timer_started_for_ever_never_fires(void **state)
{
    struct timer timer;

    (void)state;
    timer_init(&timer, on_expiry);
    loop_start_timer(&loop, &timer, TIMER_NEVER_US);
    clock_set(NOW_US + 1000 * CLOCK_US_PER_S);
    loop_turn(&loop, 0);
    assert_string_equal(story, "");
    timer_stop(&timer);
}

static void settle_letter(void *owner)
{
    (void)owner;
    tell('s');
}

static void turn_letter(void *owner)
{
    (void)owner;
    tell('o');
}

/* What one callback wrote must leave before the next one may reuse the memory it lies in. */
static void the_loop_settles_after_each_callback_of_each_kind(void **state)
{
    struct task task = {.letter = 'r'};
    struct timer timers[2];
    struct pair pair;
    const char *at;

    (void)state;
    pair_open(&pair);
    ready_init(&task.ready, run_task);
    assert_int_equal(loop_add(&loop, &pair.watch, EPOLLIN, on_pair), 0);
    assert_int_equal(write(pair.other, "x", 1), 1);
    for (int i = 0; i < 2; i++) {
        timer_init(&timers[i], on_expiry);
        loop_start_timer(&loop, &timers[i], 1);
    }
    loop_make_ready(&loop, &task.ready);
    clock_set(NOW_US + CLOCK_US_PER_S);
    loop.on_settle = settle_letter;
    loop.on_turn = turn_letter;
    loop_turn(&loop, 0);
    for (at = story; *at; at++) {
        if (*at != 's')
            assert_int_equal(at[1], 's');
    }
    assert_int_equal(story[0], 'o');
    assert_non_null(strchr(story, 'i'));
    assert_non_null(strchr(story, 'r'));
    assert_ptr_not_equal(strchr(story, 't'), strrchr(story, 't'));
    pair_close(&pair);
}

static void stop_at_third(void *owner)
{
    unsigned *turns = owner;

    if (++*turns == 3)
        loop_stop(&loop);
}

static void a_loop_runs_until_it_is_stopped(void **state)
{
    struct task task = {.letter = 'r', .next = &task};
    unsigned turns = 0;

    (void)state;
    ready_init(&task.ready, run_task);
    loop_make_ready(&loop, &task.ready);
    loop.on_turn = stop_at_third;
    loop.turn_owner = &turns;
    loop_run(&loop);
    assert_int_equal(loop.turns, 3);
    assert_string_equal(story, "rrr");
    ready_cancel(&task.ready);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_arrive_while_watched_and_never_after, start, finish),
        cmocka_unit_test_setup_teardown(
            an_event_that_waits_in_the_same_turn_is_not_delivered_after_removal, start, finish),
        cmocka_unit_test_setup_teardown(what_epoll_refuses_is_an_error_and_not_watched, start,
                                        finish),
        cmocka_unit_test_setup_teardown(twice_ready_is_once_and_again_is_the_next_turn, start,
                                        finish),
        cmocka_unit_test_setup_teardown(a_cancelled_one_does_not_run_even_in_the_same_turn, start,
                                        finish),
        cmocka_unit_test_setup_teardown(memory_goes_at_the_end_of_the_turn_with_what_that_disposes,
                                        start, finish),
        cmocka_unit_test_setup_teardown(timers_follow_the_clock_of_the_turn, start, finish),
        cmocka_unit_test_setup_teardown(a_timer_started_for_ever_never_fires, start, finish),
        cmocka_unit_test_setup_teardown(the_loop_settles_after_each_callback_of_each_kind, start,
                                        finish),
        cmocka_unit_test_setup_teardown(a_loop_runs_until_it_is_stopped, start, finish),
    };

    return cmocka_run_group_tests_name("net/loop", tests, NULL, NULL);
}
