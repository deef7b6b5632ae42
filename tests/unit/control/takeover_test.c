#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "any_base.h"
#include "control/takeover.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/listener.h"
#include "proxy/handover.h"

struct fixture {
    struct loop loop;
    struct folder folder;
    struct takeover takeover;
    struct address address;
    int socket;
    unsigned gone;
};

static void on_gone(void *owner)
{
    struct fixture *f = owner;

    f->gone++;
}

static int make(void **state)
{
    struct fixture *f = memory_allocate(sizeof(*f));
    struct error why;

    f->folder = (struct folder){.run_fd = -1, .lock_fd = -1};
    assert_int_equal(0, folder_open(&f->folder, any_base, &why));
    assert_int_equal(0, loop_init(&f->loop, &why));
    assert_int_equal(0, address_from_text(VIEW("127.0.0.1:0"), &f->address, &why));
    f->socket = listener_open(&f->address, true, &why);
    assert_true(f->socket >= 0);
    f->takeover.on_gone = on_gone;
    f->takeover.owner = f;
    *state = f;
    return 0;
}

static int destroy(void **state)
{
    struct fixture *f = *state;

    takeover_finish(&f->takeover);
    loop_finish(&f->loop);
    folder_close(&f->folder);
    close(f->socket);
    free(f);
    return 0;
}

/* ---- an old worker, in a process of its own ---- */

static int given;

static int listener_at(struct handover *handover, unsigned number)
{
    (void)handover;
    return number == 0 ? given : -1;
}

static void leave(struct handover *handover, uint64_t within_ms)
{
    (void)handover;
    _exit(within_ms == 4321 ? 0 : 1);
}

static void stay(struct handover *handover, uint64_t within_ms)
{
    (void)handover;
    (void)within_ms;
}

static void be_worker(int socket, int listening, handover_drain_fn on_drain)
{
    struct handover handover;
    struct loop loop;
    struct error why;

    given = socket;
    if (loop_init(&loop, &why) < 0 ||
        handover_start(&handover, &loop, listening, listener_at, on_drain) < 0)
        _exit(2);
    loop_run(&loop);
    _exit(3);
}

/* Starts one and remembers it; without `on_drain` it never answers. */
static pid_t start_worker(struct fixture *f, const char *name, handover_drain_fn on_drain)
{
    struct error why;
    int listening = folder_listen(&f->folder, name, &why);
    pid_t pid;

    assert_true(listening >= 0);
    pid = fork();
    if (pid == 0 && on_drain)
        be_worker(f->socket, listening, on_drain);
    if (pid == 0) {
        pause();
        _exit(4);
    }
    close(listening);
    assert_int_equal(0, folder_write_record(&f->folder, name, pid, &why));
    return pid;
}

static int status_of(pid_t pid)
{
    int status;

    assert_int_equal(pid, waitpid(pid, &status, 0));
    return status;
}

static void turn_until_gone(struct fixture *f)
{
    for (int i = 0; i < 500 && !f->gone; i++)
        loop_turn(&f->loop, 10000);
}

static void without_old_workers_there_is_nothing_to_take_over(void **state)
{
    struct fixture *f = *state;

    takeover_begin(&f->takeover, &f->loop, &f->folder);
    assert_true(takeover_is_over(&f->takeover));
    assert_false(takeover_has(&f->takeover, &f->address));
}

static void a_worker_gives_its_socket_and_drains(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start_worker(f, "worker-1-0", leave);
    struct folder_record record;
    struct listeners listeners;

    takeover_begin(&f->takeover, &f->loop, &f->folder);
    assert_false(takeover_is_over(&f->takeover));
    assert_true(takeover_has(&f->takeover, &f->address));
    listeners_init(&listeners);
    assert_int_equal(0, listeners_add_taken(&listeners, &f->address));
    takeover_give(&f->takeover, &listeners);
    assert_int_equal(1, listeners.all[0].count);
    takeover_drain(&f->takeover, 4321);
    assert_int_equal(0, status_of(pid));
    turn_until_gone(f);
    assert_int_equal(1, f->gone);
    assert_true(folder_read_record(&f->folder, "worker-1-0", &record) < 0);
    listeners_finish(&listeners);
}

static void a_socket_nobody_listens_on_any_more_is_closed(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start_worker(f, "worker-1-0", leave);
    struct listeners listeners;

    takeover_begin(&f->takeover, &f->loop, &f->folder);
    listeners_init(&listeners);
    takeover_give(&f->takeover, &listeners);
    assert_int_equal(0, f->takeover.socket_count);
    takeover_drain(&f->takeover, 4321);
    assert_int_equal(0, status_of(pid));
    turn_until_gone(f);
    assert_int_equal(1, f->gone);
}

static void one_that_does_not_answer_is_ended(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start_worker(f, "worker-1-0", NULL);

    takeover_begin(&f->takeover, &f->loop, &f->folder);
    assert_int_equal(SIGKILL, WTERMSIG(status_of(pid)));
    assert_false(takeover_has(&f->takeover, &f->address));
    takeover_drain(&f->takeover, 4321);
    turn_until_gone(f);
    assert_int_equal(1, f->gone);
}

static void one_that_does_not_end_in_time_is_ended(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start_worker(f, "worker-1-0", stay);

    takeover_begin(&f->takeover, &f->loop, &f->folder);
    takeover_drain(&f->takeover, 1);
    turn_until_gone(f);
    assert_int_equal(1, f->gone);
    assert_int_equal(SIGKILL, WTERMSIG(status_of(pid)));
}

static void killing_waits_for_the_end(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start_worker(f, "worker-1-0", stay);

    takeover_begin(&f->takeover, &f->loop, &f->folder);
    takeover_kill(&f->takeover);
    assert_true(takeover_is_over(&f->takeover));
    assert_int_equal(SIGKILL, WTERMSIG(status_of(pid)));
}

static void a_record_of_one_long_gone_is_removed(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start_worker(f, "worker-1-0", leave);
    struct folder_record record;

    kill(pid, SIGKILL);
    status_of(pid);
    takeover_begin(&f->takeover, &f->loop, &f->folder);
    assert_true(takeover_is_over(&f->takeover));
    assert_true(folder_read_record(&f->folder, "worker-1-0", &record) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_old_workers_there_is_nothing_to_take_over, make,
                                        destroy),
        cmocka_unit_test_setup_teardown(a_worker_gives_its_socket_and_drains, make, destroy),
        cmocka_unit_test_setup_teardown(a_socket_nobody_listens_on_any_more_is_closed, make,
                                        destroy),
        cmocka_unit_test_setup_teardown(one_that_does_not_answer_is_ended, make, destroy),
        cmocka_unit_test_setup_teardown(one_that_does_not_end_in_time_is_ended, make, destroy),
        cmocka_unit_test_setup_teardown(killing_waits_for_the_end, make, destroy),
        cmocka_unit_test_setup_teardown(a_record_of_one_long_gone_is_removed, make, destroy),
    };

    return cmocka_run_group_tests_name("control/takeover", tests, any_base_make, any_base_remove);
}
