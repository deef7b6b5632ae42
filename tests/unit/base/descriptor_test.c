#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/descriptor.h"

static void closing_twice_closes_once_and_keeps_errno(void **state)
{
    int ends[2];
    int number;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    number = ends[0];
    errno = EDOM;
    descriptor_close(&ends[0]);
    assert_int_equal(ends[0], -1);
    descriptor_close(&ends[0]);
    assert_int_equal(errno, EDOM);
    assert_int_equal(fcntl(number, F_GETFD), -1);
    descriptor_close(&ends[1]);
}

static void a_descriptor_is_made_nonblocking_and_back(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(descriptor_set_nonblocking(ends[0], true), 0);
    assert_true(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    assert_int_equal(descriptor_set_nonblocking(ends[0], false), 0);
    assert_false(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    assert_int_equal(descriptor_set_nonblocking(-1, true), -EBADF);
    descriptor_close(&ends[0]);
    descriptor_close(&ends[1]);
}

static void the_limit_of_open_files_is_raised_to_the_hard_one(void **state)
{
    struct rlimit limit;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(descriptor_raise_limit(), limit.rlim_max);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_twice_closes_once_and_keeps_errno),
        cmocka_unit_test(a_descriptor_is_made_nonblocking_and_back),
        cmocka_unit_test(the_limit_of_open_files_is_raised_to_the_hard_one),
    };

    return cmocka_run_group_tests_name("base/descriptor", tests, NULL, NULL);
}
