#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/usage.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "replica/handle.h"

#define START_US     (1000 * CLOCK_US_PER_S)
#define MEMORY_BYTES (24u << 20)
#define BURN_MS      200
#define TURNS_MAX    100000 /* pieces of a reading: far more processes than a machine has */

/* A pool of one replica that runs nothing but what a test says. */
static struct loop loop;
static struct supervisor supervisor;
static struct usage usage;
static struct replica replica;
static uint64_t now_us;

/* A session of two processes; a byte to `orders` makes the second one work, one from `done` says
 * that it has. */
static pid_t leader;
static int orders[2];
static int done[2];

static void burn(void)
{
    struct timespec used;
    uint64_t until_ms = 0;

    for (;;) {
        uint64_t ms;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        ms = (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
        if (!until_ms)
            until_ms = ms + BURN_MS;
        if (ms >= until_ms)
            return;
    }
}

static void work(void)
{
    volatile char *memory = malloc(MEMORY_BYTES);
    char byte = '.';

    /* No compiler may find out that nobody reads it. */
    for (size_t i = 0; i < MEMORY_BYTES; i++)
        memory[i] = 1;
    do {
        burn();
        if (write(done[1], &byte, 1) != 1)
            break;
    } while (read(orders[0], &byte, 1) == 1);
    free((void *)memory);
    _exit(0);
}

static void await_work(void)
{
    char byte;

    assert_int_equal(1, read(done[0], &byte, 1));
}

static void start_session(void)
{
    assert_int_equal(0, pipe(orders));
    assert_int_equal(0, pipe(done));
    leader = fork();
    assert_true(leader >= 0);
    if (leader == 0) {
        setsid();
        close(orders[1]);
        if (fork() == 0)
            work();
        while (wait(NULL) < 0)
            ;
        _exit(0);
    }
    close(orders[0]);
    await_work();
}

static void end_session(void)
{
    close(orders[1]);
    waitpid(leader, NULL, 0);
    close(done[0]);
    close(done[1]);
}

static void set_handle(uint64_t later_ticks)
{
    struct handle handle;

    assert_int_equal(0, handle_of_pid(leader, 5003, &handle));
    handle.start_ticks += later_ticks;
    handle_to_text(&handle, replica.handle);
}

static void begin(void)
{
    clock_set(now_us = START_US);
    assert_int_equal(0, loop_init(&loop, NULL));
    supervisor = (struct supervisor){.loop = &loop, .count = 1};
    list_init(&supervisor.all);
    replica = (struct replica){.pid = leader, .seat = 3, .incarnation = 7};
    list_init(&replica.list);
    list_append(&supervisor.all, &replica.list);
    supervisor.seats[3] = &replica;
    set_handle(0);
    usage_init(&usage, &supervisor);
}

static void end(void)
{
    usage_finish(&usage);
    loop_finish(&loop);
    clock_set(0);
}

/* Time passes until the next reading begins, and on until it is over. */
static void read_next(uint64_t after_us)
{
    clock_set(now_us += after_us);
    loop_turn(&loop, 0);
    for (unsigned i = 0; usage.targets && i < TURNS_MAX; i++) {
        clock_set(now_us += USAGE_PIECE_US + 1000);
        loop_turn(&loop, 0);
    }
    assert_null(usage.targets);
}

static void a_session_is_counted_as_one_and_its_share_of_a_core_told(void **state)
{
    uint64_t first_us;

    (void)state;
    start_session();
    begin();
    read_next(USAGE_LOOKED_US + 2000);
    assert_true(replica.usage.read_us >= now_us - 2000);
    assert_true(replica.usage.memory_bytes >= MEMORY_BYTES);
    assert_true(replica.usage.memory_bytes < 16 * MEMORY_BYTES);
    assert_true(replica.usage.cpu_us >= (BURN_MS - 20) * CLOCK_US_PER_MS);
    assert_false(replica.usage.has_percent);

    first_us = replica.usage.cpu_us;
    assert_int_equal(1, write(orders[1], ".", 1));
    await_work();
    read_next(USAGE_REST_US + 2000);
    assert_true(replica.usage.has_percent);
    assert_true(replica.usage.cpu_us >= first_us + (BURN_MS - 20) * CLOCK_US_PER_MS);
    /* 200 ms of some 5 s and the pieces' time. */
    assert_true(replica.usage.cpu_percent > 0.5);
    assert_true(replica.usage.cpu_percent < 8.0);
    end();
    end_session();
}

static void a_pid_that_is_another_process_by_now_is_not_counted(void **state)
{
    (void)state;
    start_session();
    begin();
    set_handle(1);
    read_next(USAGE_LOOKED_US + 2000);
    assert_int_equal(0, replica.usage.read_us);
    end();
    end_session();
}

/* So many processes that no reading is over after its first piece, however few there are else. */
static void start_crowd(pid_t crowd[USAGE_PIECE_PROCESSES])
{
    for (unsigned i = 0; i < USAGE_PIECE_PROCESSES; i++) {
        crowd[i] = fork();
        assert_true(crowd[i] >= 0);
        if (crowd[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                pause();
        }
    }
}

static void end_crowd(const pid_t crowd[USAGE_PIECE_PROCESSES])
{
    for (unsigned i = 0; i < USAGE_PIECE_PROCESSES; i++)
        kill(crowd[i], SIGKILL);
    for (unsigned i = 0; i < USAGE_PIECE_PROCESSES; i++)
        waitpid(crowd[i], NULL, 0);
}

static void a_replica_that_goes_while_it_is_read_is_left_alone(void **state)
{
    pid_t crowd[USAGE_PIECE_PROCESSES];

    (void)state;
    start_session();
    start_crowd(crowd);
    begin();
    clock_set(now_us += USAGE_LOOKED_US + 2000);
    loop_turn(&loop, 0);
    supervisor.seats[3] = NULL;
    read_next(USAGE_PIECE_US + 1000);
    assert_int_equal(0, replica.usage.read_us);
    end();
    end_crowd(crowd);
    end_session();
}

static void whoever_looks_gets_fresher_readings_for_a_while(void **state)
{
    uint64_t read_us;

    (void)state;
    start_session();
    begin();
    read_next(USAGE_LOOKED_US + 2000);
    read_us = replica.usage.read_us;
    clock_set(now_us += USAGE_LOOKED_US + 10000);
    loop_turn(&loop, 0);
    assert_int_equal(read_us, replica.usage.read_us);
    usage_look(&usage);
    read_next(2000);
    assert_true(replica.usage.read_us > read_us);
    read_us = replica.usage.read_us;
    read_next(USAGE_LOOKED_US + 2000);
    assert_true(replica.usage.read_us > read_us);
    end();
    end_session();
}

static void a_container_that_cannot_be_seen_has_no_reading(void **state)
{
    (void)state;
    start_session();
    begin();
    replica.pid = 0;
    replica.container_pid = leader;
    strcpy(replica.handle, "4f5e6d7c4f5e6d7c4f5e6d7c4f5e6d7c4f5e6d7c4f5e6d7c4f5e6d7c4f5e6d7c");
    read_next(USAGE_LOOKED_US + 2000);
    assert_int_equal(0, replica.usage.read_us);
    end();
    end_session();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_counted_as_one_and_its_share_of_a_core_told),
        cmocka_unit_test(a_pid_that_is_another_process_by_now_is_not_counted),
        cmocka_unit_test(a_replica_that_goes_while_it_is_read_is_left_alone),
        cmocka_unit_test(whoever_looks_gets_fresher_readings_for_a_while),
        cmocka_unit_test(a_container_that_cannot_be_seen_has_no_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
