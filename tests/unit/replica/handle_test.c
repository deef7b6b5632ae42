#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/handle.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_handle_survives_its_text(void **state)
{
    struct handle handle;
    struct handle again;
    char text[HANDLE_TEXT_BYTES];

    (void)state;
    assert_int_equal(0, handle_of_pid(getpid(), 5003, &handle));
    handle_to_text(&handle, text);
    assert_int_equal(0, handle_from_text(text, &again));
    assert_int_equal(getpid(), again.pid);
    assert_int_equal(5003, again.port);
    assert_int_equal(handle.start_ticks, again.start_ticks);
    assert_string_equal(handle.boot, again.boot);
    assert_true(handle.start_ticks > 0);
    assert_int_equal(8, strlen(handle.boot));
}

static void what_is_no_handle_is_refused(void **state)
{
    const char *const texts[] = {
        "",
        "pid=",
        "pid=12",
        "pid=12 start=1 boot=0123abcd",
        "pid=12 start=1 boot=0123abcd port=",
        "pid=12 start=1 boot=0123abcd port=1 more",
        "pid=1 start=1 boot=0123abcd port=1",
        "pid=0 start=1 boot=0123abcd port=1",
        "pid=-5 start=1 boot=0123abcd port=1",
        "pid=99999999999999999999 start=1 boot=0123abcd port=1",
        "pid=12 start=1 boot=0123abcdef port=1",
        "pid=12 start=1 boot= port=1",
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        struct handle handle = {.pid = 7};

        assert_int_equal(-EINVAL, handle_from_text(texts[i], &handle));
        assert_int_equal(7, handle.pid);
    }
}

static void the_process_itself_is_opened(void **state)
{
    struct handle handle;
    struct pollfd poll_fd = {.events = POLLIN};

    (void)state;
    assert_int_equal(0, handle_of_pid(getpid(), 1, &handle));
    poll_fd.fd = handle_open(&handle);
    assert_true(poll_fd.fd >= 0);
    assert_int_equal(0, poll(&poll_fd, 1, 0));
    close(poll_fd.fd);
}

static void a_process_that_started_at_another_time_is_another_one(void **state)
{
    struct handle handle;

    (void)state;
    assert_int_equal(0, handle_of_pid(getpid(), 1, &handle));
    handle.start_ticks++;
    assert_int_equal(-ESRCH, handle_open(&handle));
}

static void a_dead_process_that_nobody_waited_for_is_gone(void **state)
{
    struct handle handle;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(0);
    assert_int_equal(0, waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT));
    assert_int_equal(0, handle_of_pid(pid, 1, &handle));
    assert_int_equal(-ESRCH, handle_open(&handle));
    assert_int_equal(pid, waitpid(pid, NULL, 0));
}

static void a_pid_that_nobody_has_is_gone(void **state)
{
    struct handle handle;

    (void)state;
    assert_int_equal(-ESRCH, handle_of_pid(0x3ffffff, 1, &handle));
}

/* The name of a process is its own to choose, and stands before the fields that are read. */
static void a_hostile_name_changes_nothing(void **state)
{
    struct handle plain;
    struct handle hostile;

    (void)state;
    assert_int_equal(0, handle_of_pid(getpid(), 1, &plain));
    prctl(PR_SET_NAME, ") R 1 2 3 (x");
    assert_int_equal(0, handle_of_pid(getpid(), 1, &hostile));
    assert_int_equal(plain.start_ticks, hostile.start_ticks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_survives_its_text),
        cmocka_unit_test(what_is_no_handle_is_refused),
        cmocka_unit_test(the_process_itself_is_opened),
        cmocka_unit_test(a_process_that_started_at_another_time_is_another_one),
        cmocka_unit_test(a_dead_process_that_nobody_waited_for_is_gone),
        cmocka_unit_test(a_pid_that_nobody_has_is_gone),
        cmocka_unit_test(a_hostile_name_changes_nothing),
    };

    return cmocka_run_group_tests_name("replica/handle", tests, NULL, NULL);
}
