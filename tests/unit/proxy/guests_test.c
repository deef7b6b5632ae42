#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "proxy/guests.h"

#define KEY      UINT64_C(0xc0000201ffff)
#define NOW_NS   UINT64_C(1000000000000)
#define WORKERS  4
#define ROUNDS   40000
#define TOKEN_NS UINT64_C(1000000)

/* What the processes of a test tell each other. */
struct board {
    _Atomic uint32_t ready;
    _Atomic uint32_t count;
    _Atomic uint32_t most;
    _Atomic uint32_t passed;
    _Atomic uint32_t held[WORKERS][GUESTS_MAX];
};

static struct guest_segment *create(void)
{
    struct guest_segment *guests;
    struct error why;
    int fd;

    assert_int_equal(guests_create(&fd, &guests, &why), 0);
    close(fd);
    return guests;
}

static struct board *create_board(void)
{
    void *memory =
        mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

typedef void (*work_fn)(struct guest_segment *guests, struct board *board, unsigned number);

/* Runs `work` in WORKERS processes at once and waits for them. */
static void run(work_fn work, struct guest_segment *guests, struct board *board)
{
    pid_t pids[WORKERS];

    for (unsigned i = 0; i < WORKERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            atomic_fetch_add(&board->ready, 1);
            while (atomic_load(&board->ready) < WORKERS)
                usleep(100);
            work(guests, board, i);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        int status;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* ---- alone ---- */

static void an_address_has_one_place_as_long_as_it_is_pinned(void **state)
{
    struct guest_segment *guests = create();
    uint32_t place;

    (void)state;
    assert_int_equal(guests_find(guests, KEY), GUESTS_NONE);
    place = guests_enter(guests, KEY);
    assert_true(place < GUESTS_MAX);
    assert_int_equal(guests_enter(guests, KEY), place);
    assert_int_equal(guests_find(guests, KEY), place);
    guests_leave(guests, place);
    guests_leave(guests, place);
    assert_int_equal(guests_find(guests, KEY), place);
    guests_unmap(guests);
}

static void a_hundred_thousand_addresses_have_a_place_each(void **state)
{
    static uint64_t owner[GUESTS_MAX];
    struct guest_segment *guests = create();
    unsigned without = 0;

    (void)state;
    memset(owner, 0, sizeof(owner));
    for (uint64_t key = 1; key <= 100000; key++) {
        uint32_t place = guests_enter(guests, key);

        without += place == GUESTS_NONE;
        if (place == GUESTS_NONE)
            continue;
        assert_int_equal(owner[place], 0);
        owner[place] = key;
    }
    /* A set of eight for three on average: more than eight is one set in 1,200 (Poisson). */
    assert_in_range(without, 0, 300);
    for (uint32_t place = 0; place < GUESTS_MAX; place++) {
        if (owner[place])
            assert_int_equal(guests_find(guests, owner[place]), place);
    }
    guests_unmap(guests);
}

static void who_is_pinned_stays_whoever_comes(void **state)
{
    struct guest_segment *guests = create();
    uint32_t place = guests_enter(guests, KEY);

    (void)state;
    for (uint64_t key = 1; key < 4 * GUESTS_MAX; key++) {
        uint32_t other = guests_enter(guests, key);

        assert_int_not_equal(other, place);
        if (other != GUESTS_NONE)
            guests_leave(guests, other);
    }
    assert_int_equal(guests_find(guests, KEY), place);
    guests_unmap(guests);
}

static void a_full_set_has_no_place_and_says_so(void **state)
{
    struct guest_segment *guests = create();
    unsigned without = 0;

    (void)state;
    for (uint64_t key = 1; key <= 4 * GUESTS_MAX; key++)
        without += guests_enter(guests, key) == GUESTS_NONE;
    assert_int_equal(without, 3 * GUESTS_MAX);
    guests_unmap(guests);
}

static void of_those_nobody_pins_the_one_with_most_tokens_goes(void **state)
{
    struct guest_segment *guests = create();
    uint32_t places[GUESTS_SET];
    uint64_t keys[GUESTS_SET];
    uint32_t set = GUESTS_NONE;
    unsigned count = 0;
    uint64_t key;

    (void)state;
    /* Fills one set: all places of it have tokens missing, the third the fewest. */
    for (key = 1; count < GUESTS_SET; key++) {
        uint32_t place = guests_enter(guests, key);

        if (set == GUESTS_NONE)
            set = place / GUESTS_SET;
        if (place / GUESTS_SET != set)
            continue;
        for (unsigned i = 0; i < (count == 2 ? 1 : 5); i++)
            assert_true(guests_take_token(guests, place, NOW_NS, TOKEN_NS, 10));
        places[count] = place;
        keys[count++] = key;
    }
    for (unsigned i = 0; i < GUESTS_SET; i++)
        guests_leave(guests, places[i]);
    for (;; key++) {
        uint32_t place = guests_enter(guests, key);

        if (place != GUESTS_NONE && place / GUESTS_SET == set) {
            assert_int_equal(place, places[2]);
            break;
        }
    }
    assert_int_equal(guests_find(guests, keys[2]), GUESTS_NONE);
    assert_int_equal(guests_find(guests, keys[0]), places[0]);
    guests_unmap(guests);
}

/* Whoever meant to take the place died on the way: others of that address are not kept out. */
static void a_place_that_was_never_quite_taken_is_used_by_the_next(void **state)
{
    struct guest_segment *guests = create();
    uint32_t place = guests_enter(guests, KEY);
    uint64_t word = atomic_load(&guests->words[place]);

    (void)state;
    guests_leave(guests, place);
    for (uint64_t bit = 1; bit; bit <<= 1) {
        /* Of the word's bits only one says that it is being taken: with it the place is not found.
         */
        atomic_store(&guests->words[place], word | bit);
        if (guests_find(guests, KEY) == GUESTS_NONE && !(word & bit) &&
            guests_enter(guests, KEY) == place) {
            assert_int_equal(guests_find(guests, KEY), place);
            guests_unmap(guests);
            return;
        }
        memset((void *)(guests->words + place / GUESTS_SET * GUESTS_SET), 0,
               GUESTS_SET * sizeof(guests->words[0]));
    }
    fail_msg("no bit says that a place is being taken");
}

static void later_than_the_rules_can_make_it_counts_as_empty(void **state)
{
    struct guest_segment *guests = create();
    uint32_t place = guests_enter(guests, KEY);

    (void)state;
    /* A token a second and a thousand at once, all taken; then a thousand a second and two at once.
     */
    for (unsigned i = 0; i < 1000; i++)
        assert_true(guests_take_token(guests, place, NOW_NS, 1000 * TOKEN_NS, 1000));
    assert_false(guests_take_token(guests, place, NOW_NS, 1000 * TOKEN_NS, 1000));
    assert_false(guests_take_token(guests, place, NOW_NS, TOKEN_NS, 2));
    assert_false(guests_take_token(guests, place, NOW_NS + TOKEN_NS - 1, TOKEN_NS, 2));
    assert_true(guests_take_token(guests, place, NOW_NS + TOKEN_NS, TOKEN_NS, 2));
    assert_false(guests_take_token(guests, place, NOW_NS + TOKEN_NS, TOKEN_NS, 2));
    guests_unmap(guests);
}

static void what_is_no_guest_segment_is_refused(void **state)
{
    struct guest_segment *guests;
    struct error why;
    int fd = memfd_create("other", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(guests_map(fd, &guests, &why), -EBADMSG);
    assert_int_equal(ftruncate(fd, sizeof(struct guest_segment)), 0);
    assert_int_equal(guests_map(fd, &guests, &why), -EBADMSG);
    assert_non_null(strstr(why.text, "version"));
    close(fd);
}

/* Workers read the clock once a turn: one says an earlier time than another did before it. */
static void a_clock_that_is_behind_gives_no_tokens_back(void **state)
{
    struct guest_segment *guests = create();
    uint32_t place = guests_enter(guests, KEY);

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        assert_true(guests_take_token(guests, place, NOW_NS, TOKEN_NS, 5));
    for (uint64_t behind_ns = 0; behind_ns < GUESTS_STALE_NS; behind_ns += GUESTS_STALE_NS / 7)
        assert_false(guests_take_token(guests, place, NOW_NS - behind_ns, TOKEN_NS, 5));
    assert_false(guests_take_token(guests, place, NOW_NS, TOKEN_NS, 5));
    assert_true(guests_take_token(guests, place, NOW_NS + TOKEN_NS, TOKEN_NS, 5));
    assert_false(guests_take_token(guests, place, NOW_NS + TOKEN_NS, TOKEN_NS, 5));
    guests_unmap(guests);
}

/* ---- many at once ---- */

/* Connects and disconnects as fast as it can; how many hold one at once is counted independently.
 */
static void hammer_connections(struct guest_segment *guests, struct board *board, unsigned number)
{
    (void)number;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t place = guests_enter(guests, KEY);

        if (place == GUESTS_NONE)
            abort();
        if (guests_connect(guests, place, 3)) {
            uint32_t count = atomic_fetch_add(&board->count, 1) + 1;
            uint32_t most = atomic_load(&board->most);

            while (count > most && !atomic_compare_exchange_weak(&board->most, &most, count))
                ;
            atomic_fetch_add(&board->passed, 1);
            atomic_fetch_sub(&board->count, 1);
            guests_disconnect(guests, place);
        }
        guests_leave(guests, place);
    }
}

static void workers_together_never_pass_the_limit_of_connections(void **state)
{
    struct guest_segment *guests = create();
    struct board *board = create_board();
    uint32_t place;

    (void)state;
    run(hammer_connections, guests, board);
    assert_in_range(atomic_load(&board->most), 1, 3);
    assert_true(atomic_load(&board->passed) > ROUNDS);
    /* All were given back: three are free again, and nobody pins the place. */
    place = guests_enter(guests, KEY);
    for (int i = 0; i < 3; i++)
        assert_true(guests_connect(guests, place, 3));
    assert_false(guests_connect(guests, place, 3));
    munmap(board, sizeof(*board));
    guests_unmap(guests);
}

/* Each takes and keeps what it can get. */
static void grab_connections(struct guest_segment *guests, struct board *board, unsigned number)
{
    uint32_t place = guests_enter(guests, KEY);

    (void)number;
    for (unsigned i = 0; i < 1000; i++) {
        if (guests_connect(guests, place, 100))
            atomic_fetch_add(&board->passed, 1);
    }
}

static void of_many_workers_exactly_as_many_connections_as_may_be_get_in(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct guest_segment *guests = create();
        struct board *board = create_board();

        run(grab_connections, guests, board);
        assert_int_equal(atomic_load(&board->passed), 100);
        munmap(board, sizeof(*board));
        guests_unmap(guests);
    }
}

/* Time stands still: what passes is the burst. */
static void grab_tokens(struct guest_segment *guests, struct board *board, unsigned number)
{
    (void)number;
    for (unsigned i = 0; i < 5000; i++) {
        uint32_t place = guests_enter(guests, KEY);

        if (guests_take_token(guests, place, NOW_NS, TOKEN_NS, 777))
            atomic_fetch_add(&board->passed, 1);
        guests_leave(guests, place);
    }
}

static void of_many_workers_exactly_the_burst_passes_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct guest_segment *guests = create();
        struct board *board = create_board();

        run(grab_tokens, guests, board);
        assert_int_equal(atomic_load(&board->passed), 777);
        munmap(board, sizeof(*board));
        guests_unmap(guests);
    }
}

static uint64_t real_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void ask_for_a_while(struct guest_segment *guests, struct board *board, unsigned number)
{
    uint64_t until_ns = real_ns() + 200 * TOKEN_NS;

    (void)number;
    for (uint64_t now_ns = real_ns(); now_ns < until_ns; now_ns = real_ns()) {
        uint32_t place = guests_enter(guests, KEY);

        if (guests_take_token(guests, place, now_ns, TOKEN_NS, 50))
            atomic_fetch_add(&board->passed, 1);
        guests_leave(guests, place);
    }
}

static void over_time_never_more_than_burst_and_rate_pass(void **state)
{
    struct guest_segment *guests = create();
    struct board *board = create_board();
    uint64_t began_ns = real_ns();
    uint64_t took_ns;

    (void)state;
    run(ask_for_a_while, guests, board);
    took_ns = real_ns() - began_ns;
    assert_in_range(atomic_load(&board->passed), 50, 50 + took_ns / TOKEN_NS);
    munmap(board, sizeof(*board));
    guests_unmap(guests);
}

/* Addresses come and go in few sets, so that places change hands all the time; each address may
 * have one connection, and its holder is known independently. */
static void change_hands(struct guest_segment *guests, struct board *board, unsigned number)
{
    random_seed(number + 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t key = 1 + random_below(12);
        uint32_t place = guests_enter(guests, key);

        if (place == GUESTS_NONE)
            continue;
        if (guests_connect(guests, place, 1)) {
            if (atomic_fetch_add(&board->held[0][key], 1) != 0)
                abort();
            atomic_fetch_add(&board->passed, 1);
            atomic_fetch_sub(&board->held[0][key], 1);
            guests_disconnect(guests, place);
        }
        guests_leave(guests, place);
    }
}

/* Seeds under which twelve addresses meet in one set. */
static void let_them_meet(struct guest_segment *guests)
{
    for (;;) {
        uint32_t sets[13];
        unsigned most = 0;

        guests->seed[0] = random_next();
        guests->seed[1] = random_next();
        for (uint64_t key = 1; key <= 12; key++) {
            uint32_t place = guests_enter(guests, key);

            sets[key] = place / GUESTS_SET;
            atomic_store(&guests->words[place], 0);
        }
        for (unsigned i = 1; i <= 12; i++) {
            unsigned same = 0;

            for (unsigned j = 1; j <= 12; j++)
                same += sets[i] == sets[j];
            most = same > most ? same : most;
        }
        if (most >= 3)
            return;
    }
}

static void places_that_change_hands_never_let_two_in(void **state)
{
    struct guest_segment *guests = create();
    struct board *board = create_board();

    (void)state;
    let_them_meet(guests);
    /* Of the set they meet in all places but one are somebody's: they take turns in it. */
    for (uint32_t place = 0; place < GUESTS_MAX; place++) {
        if (place % GUESTS_SET)
            atomic_store(&guests->words[place], 1);
    }
    run(change_hands, guests, board);
    assert_true(atomic_load(&board->passed) > 1000);
    munmap(board, sizeof(*board));
    guests_unmap(guests);
}

/* ---- one that dies ---- */

static void what_a_dead_worker_held_is_given_back(void **state)
{
    struct guest_segment *guests = create();
    struct board *board = create_board();
    uint32_t place = guests_enter(guests, KEY);
    pid_t pid;

    (void)state;
    assert_true(guests_connect(guests, place, 5));
    pid = fork();
    if (pid == 0) {
        guests_enter(guests, KEY);
        atomic_store(&board->held[0][place], 4);
        for (int i = 0; i < 4; i++) {
            if (!guests_connect(guests, place, 5))
                abort();
        }
        atomic_store(&board->ready, 1);
        for (;;)
            pause();
    }
    while (!atomic_load(&board->ready))
        usleep(1000);
    assert_false(guests_connect(guests, place, 5));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(guests_connect(guests, place, 5));
    guests_give_back(guests, board->held[0]);
    for (int i = 0; i < 4; i++)
        assert_true(guests_connect(guests, place, 5));
    /* Ours is still ours. */
    assert_false(guests_connect(guests, place, 5));
    guests_leave(guests, place);
    /* Nobody pins it any more. */
    assert_int_equal(atomic_load(&guests->words[place]) & 0xff, 0);
    munmap(board, sizeof(*board));
    guests_unmap(guests);
}

static void a_worker_that_lies_about_what_it_held_takes_nothing_below_none(void **state)
{
    struct guest_segment *guests = create();
    struct board *board = create_board();
    uint32_t place = guests_enter(guests, KEY);

    (void)state;
    assert_true(guests_connect(guests, place, 2));
    for (uint32_t i = 0; i < GUESTS_MAX; i++)
        atomic_store(&board->held[0][i], UINT32_MAX);
    guests_give_back(guests, board->held[0]);
    guests_give_back(guests, board->held[0]);
    assert_int_equal(atomic_load(&guests->connections[place]), 0);
    assert_true(guests_connect(guests, place, 2));
    guests_disconnect(guests, place);
    guests_disconnect(guests, place);
    assert_int_equal(atomic_load(&guests->connections[place]), 0);
    munmap(board, sizeof(*board));
    guests_unmap(guests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_one_place_as_long_as_it_is_pinned),
        cmocka_unit_test(a_hundred_thousand_addresses_have_a_place_each),
        cmocka_unit_test(who_is_pinned_stays_whoever_comes),
        cmocka_unit_test(a_full_set_has_no_place_and_says_so),
        cmocka_unit_test(of_those_nobody_pins_the_one_with_most_tokens_goes),
        cmocka_unit_test(a_place_that_was_never_quite_taken_is_used_by_the_next),
        cmocka_unit_test(later_than_the_rules_can_make_it_counts_as_empty),
        cmocka_unit_test(a_clock_that_is_behind_gives_no_tokens_back),
        cmocka_unit_test(what_is_no_guest_segment_is_refused),
        cmocka_unit_test(workers_together_never_pass_the_limit_of_connections),
        cmocka_unit_test(of_many_workers_exactly_as_many_connections_as_may_be_get_in),
        cmocka_unit_test(of_many_workers_exactly_the_burst_passes_at_once),
        cmocka_unit_test(over_time_never_more_than_burst_and_rate_pass),
        cmocka_unit_test(places_that_change_hands_never_let_two_in),
        cmocka_unit_test(what_a_dead_worker_held_is_given_back),
        cmocka_unit_test(a_worker_that_lies_about_what_it_held_takes_nothing_below_none),
    };

    return cmocka_run_group_tests_name("proxy/guests", tests, NULL, NULL);
}
