/* The end of a container's first process, seen without the Engine. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "replica/driver_docker_exit.h"

/* In every line of every /proc/PID/cgroup. */
#define ANY_CGROUP ":/"
#define CONTAINER  "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"

static pid_t start_child(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    return pid;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(pid, waitpid(pid, NULL, 0));
}

static void its_end_makes_it_readable(void **state)
{
    pid_t pid = start_child();
    struct pollfd poll_fd = {.fd = driver_docker_exit_open(pid, ANY_CGROUP), .events = POLLIN};

    (void)state;
    assert_true(poll_fd.fd >= 0);
    assert_int_equal(0, poll(&poll_fd, 1, 0));
    kill(pid, SIGKILL);
    assert_int_equal(1, poll(&poll_fd, 1, 10000));
    end_child(pid);
    close(poll_fd.fd);
}

static void one_that_is_in_no_such_container_is_not_watched(void **state)
{
    pid_t pid = start_child();

    (void)state;
    assert_int_equal(-ESRCH, driver_docker_exit_open(pid, CONTAINER));
    end_child(pid);
}

static void one_that_is_not_here_is_not_watched(void **state)
{
    pid_t pid = start_child();

    (void)state;
    end_child(pid);
    assert_int_equal(-ESRCH, driver_docker_exit_open(pid, ANY_CGROUP));
    assert_int_equal(-ESRCH, driver_docker_exit_open(0, ANY_CGROUP));
    assert_int_equal(-ESRCH, driver_docker_exit_open(-1, ANY_CGROUP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_end_makes_it_readable),
        cmocka_unit_test(one_that_is_in_no_such_container_is_not_watched),
        cmocka_unit_test(one_that_is_not_here_is_not_watched),
    };

    return cmocka_run_group_tests_name("replica/driver_docker_exit", tests, NULL, NULL);
}
