#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

/* A publish with workers that exist on paper only. */
struct fixture {
    struct loop loop;
    struct sock_group socks;
    struct supervisor supervisor;
    struct workers workers;
    struct workers_one ones[2];
    struct publish publish;
    unsigned builds;
    int build_result;
};

struct caller {
    struct publish_waiter waiter;
    unsigned calls;
};

static int build(void *owner, uint64_t epoch, int *fd, struct error *why)
{
    struct fixture *f = owner;
    struct balance_options options = BALANCE_OPTIONS;
    struct table_service_spec service = {.name = "web"};
    struct table_spec spec = {.epoch = epoch, .services = &service, .service_count = 1};
    struct balance_image *image;
    int result;

    f->builds++;
    if (f->build_result < 0)
        return error_set(why, f->build_result, "as the test wants");
    assert_int_equal(0, balance_build(&options, NULL, 0, &image, why));
    service.image = image;
    result = table_build(&spec, fd, why);
    balance_destroy(image);
    return result;
}

static const struct supervisor_events no_events;

static int make(void **state)
{
    struct fixture *f = memory_allocate(sizeof(*f));
    struct error why;

    assert_int_equal(0, loop_init(&f->loop, &why));
    sock_group_init(&f->socks, &f->loop, 1 << 20);
    supervisor_init(&f->supervisor, &f->socks, &no_events, f);
    list_init(&f->workers.all);
    f->workers.loop = &f->loop;
    f->workers.table_fd = -1;
    for (unsigned i = 0; i < ARRAY_SIZE(f->ones); i++) {
        f->ones[i].workers = &f->workers;
        f->ones[i].link.is_closed = true;
        list_append(&f->workers.all, &f->ones[i].list);
    }
    publish_init(&f->publish, &f->loop, &f->workers, &f->supervisor, build, f, 10);
    *state = f;
    return 0;
}

static int destroy(void **state)
{
    struct fixture *f = *state;

    publish_finish(&f->publish);
    supervisor_finish(&f->supervisor);
    loop_finish(&f->loop);
    sock_group_finish(&f->socks);
    if (f->workers.table_fd >= 0)
        close(f->workers.table_fd);
    free(f);
    return 0;
}

static void on_adopted(struct publish_waiter *waiter)
{
    CONTAINER_OF(waiter, struct caller, waiter)->calls++;
}

static void begin(struct fixture *f)
{
    struct error why;

    assert_int_equal(0, publish_now(&f->publish, &why));
}

static void adopt(struct fixture *f, unsigned worker, uint64_t epoch)
{
    f->ones[worker].adopted = epoch;
    publish_look(&f->publish);
}

static void nothing_is_built_before_the_first_table_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct caller caller = {0};

    publish_change(&f->publish, &caller.waiter, on_adopted);
    loop_turn(&f->loop, 0);
    assert_int_equal(0, f->builds);
    begin(f);
    assert_int_equal(1, f->builds);
    assert_int_equal(11, f->publish.epoch);
    assert_int_equal(0, caller.calls);
    publish_cancel(&caller.waiter);
}

static void several_changes_in_one_turn_are_one_table(void **state)
{
    struct fixture *f = *state;
    struct caller first = {0};
    struct caller second = {0};

    begin(f);
    publish_change(&f->publish, &first.waiter, on_adopted);
    publish_change(&f->publish, NULL, NULL);
    publish_change(&f->publish, &second.waiter, on_adopted);
    loop_turn(&f->loop, 0);
    assert_int_equal(2, f->builds);
    assert_int_equal(12, f->publish.epoch);
    assert_int_equal(12, f->publish.table->epoch);
    adopt(f, 0, 12);
    adopt(f, 1, 12);
    assert_int_equal(1, first.calls);
    assert_int_equal(1, second.calls);
}

static void it_is_done_when_the_last_worker_has_it(void **state)
{
    struct fixture *f = *state;
    struct caller caller = {0};

    begin(f);
    publish_change(&f->publish, &caller.waiter, on_adopted);
    loop_turn(&f->loop, 0);
    adopt(f, 0, 12);
    adopt(f, 1, 11);
    assert_int_equal(0, caller.calls);
    adopt(f, 1, 12);
    assert_int_equal(1, caller.calls);
    adopt(f, 1, 12);
    assert_int_equal(1, caller.calls);
}

static void a_later_table_does_as_well(void **state)
{
    struct fixture *f = *state;
    struct caller caller = {0};

    begin(f);
    publish_change(&f->publish, &caller.waiter, on_adopted);
    loop_turn(&f->loop, 0);
    publish_change(&f->publish, NULL, NULL);
    loop_turn(&f->loop, 0);
    adopt(f, 0, 13);
    adopt(f, 1, 13);
    assert_int_equal(1, caller.calls);
}

static void a_worker_that_is_gone_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    struct caller caller = {0};

    begin(f);
    publish_change(&f->publish, &caller.waiter, on_adopted);
    loop_turn(&f->loop, 0);
    adopt(f, 0, 12);
    list_remove(&f->ones[1].list);
    publish_look(&f->publish);
    assert_int_equal(1, caller.calls);
}

static void who_cancelled_hears_nothing(void **state)
{
    struct fixture *f = *state;
    struct caller caller = {0};

    begin(f);
    publish_change(&f->publish, &caller.waiter, on_adopted);
    publish_cancel(&caller.waiter);
    publish_cancel(&caller.waiter);
    loop_turn(&f->loop, 0);
    adopt(f, 0, 12);
    adopt(f, 1, 12);
    assert_int_equal(0, caller.calls);
}

static void a_table_that_cannot_be_built_is_tried_again(void **state)
{
    struct fixture *f = *state;
    struct caller caller = {0};

    begin(f);
    f->build_result = -ENOMEM;
    publish_change(&f->publish, &caller.waiter, on_adopted);
    loop_turn(&f->loop, 0);
    assert_int_equal(2, f->builds);
    assert_int_equal(11, f->publish.epoch);
    f->build_result = 0;
    f->loop.now_us += PUBLISH_RETRY_US;
    timer_wheel_run(&f->loop.wheel, f->loop.now_us + TIMER_TICK_US);
    loop_turn(&f->loop, 0);
    assert_int_equal(12, f->publish.epoch);
    adopt(f, 0, 12);
    adopt(f, 1, 12);
    assert_int_equal(1, caller.calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_built_before_the_first_table_is_asked_for, make,
                                        destroy),
        cmocka_unit_test_setup_teardown(several_changes_in_one_turn_are_one_table, make, destroy),
        cmocka_unit_test_setup_teardown(it_is_done_when_the_last_worker_has_it, make, destroy),
        cmocka_unit_test_setup_teardown(a_later_table_does_as_well, make, destroy),
        cmocka_unit_test_setup_teardown(a_worker_that_is_gone_is_not_waited_for, make, destroy),
        cmocka_unit_test_setup_teardown(who_cancelled_hears_nothing, make, destroy),
        cmocka_unit_test_setup_teardown(a_table_that_cannot_be_built_is_tried_again, make, destroy),
    };

    return cmocka_run_group_tests_name("control/publish", tests, NULL, NULL);
}
