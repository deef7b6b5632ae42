#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/random.h"

/* Runs first: what a fork inherits before anybody has seeded by hand. */
static void a_forked_process_draws_other_numbers_than_its_parent(void **state)
{
    uint64_t theirs = 0;
    int ends[2];
    pid_t pid;

    (void)state;
    random_next();
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        theirs = random_next();
        _exit(write(ends[1], &theirs, sizeof(theirs)) != sizeof(theirs));
    }
    assert_int_equal(read(ends[0], &theirs, sizeof(theirs)), sizeof(theirs));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(random_next() != theirs);
    close(ends[0]);
    close(ends[1]);
}

static void a_seed_gives_the_published_sequence(void **state)
{
    /* xoshiro256** behind splitmix64(0), computed with an independent program. */
    static const uint64_t expected[] = {UINT64_C(0x99ec5f36cb75f2b4), UINT64_C(0xbf6e1f784956452a),
                                        UINT64_C(0x1a5f849d4933e6e0)};

    (void)state;
    for (int round = 0; round < 2; round++) {
        random_seed(0);
        for (int i = 0; i < 3; i++)
            assert_true(random_next() == expected[i]);
    }
}

static void numbers_below_a_limit_are_evenly_spread(void **state)
{
    enum { LIMIT = 10, DRAWS = 100000 };
    unsigned counts[LIMIT] = {0};

    (void)state;
    random_seed(3);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t draw = random_below(LIMIT);

        assert_true(draw < LIMIT);
        counts[draw]++;
    }
    /* Six standard deviations (95 each) around 10,000. */
    for (int i = 0; i < LIMIT; i++)
        assert_in_range(counts[i], 9430, 10570);
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_below(1), 0);
    /* A limit that refuses nearly half of the draws still ends and stays below. */
    for (int i = 0; i < 1000; i++)
        assert_true(random_below((UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forked_process_draws_other_numbers_than_its_parent),
        cmocka_unit_test(a_seed_gives_the_published_sequence),
        cmocka_unit_test(numbers_below_a_limit_are_evenly_spread),
    };

    return cmocka_run_group_tests_name("base/random", tests, NULL, NULL);
}
