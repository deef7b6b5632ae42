#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/driver_static.h"

#include <errno.h>

static struct loop loop;
static struct driver *driver;
static unsigned starts;
static unsigned failures;
static unsigned ends;
static struct address address;

static void on_started(struct driver_run *run, const struct driver_started *started)
{
    (void)run;
    starts++;
    address = started->address;
    assert_int_equal(0, started->pid);
    assert_string_equal("", started->handle);
}

static void on_failed(struct driver_run *run, int result, const char *why)
{
    (void)run;
    assert_true(result < 0);
    assert_non_null(why);
    failures++;
}

static void on_ended(struct driver_run *run, enum driver_end end, const char *why)
{
    (void)run;
    (void)end;
    assert_non_null(why);
    ends++;
}

static const struct driver_events events = {
    .on_started = on_started,
    .on_failed = on_failed,
    .on_ended = on_ended,
};

static int begin(void **state)
{
    struct driver_static_place places[] = {{.name = "a"}, {.name = "b"}, {.name = "h", .port = 82}};

    (void)state;
    starts = failures = ends = 0;
    assert_int_equal(0, address_from_text(VIEW("10.0.0.1:80"), &places[0].address, NULL));
    assert_int_equal(0, address_from_text(VIEW("[::1]:81"), &places[1].address, NULL));
    assert_int_equal(0, loop_init(&loop, NULL));
    driver = driver_static_create(&loop, places, 3);
    return 0;
}

static int end(void **state)
{
    (void)state;
    loop_finish(&loop);
    driver_destroy(driver);
    return 0;
}

static struct driver_run *start(const char *name)
{
    const struct driver_order order = {.name = name, .id = 1};
    struct driver_run *run = NULL;

    assert_int_equal(0, driver->calls->start(driver, &order, &events, NULL, &run, NULL));
    return run;
}

static void each_name_has_its_address(void **state)
{
    struct driver_run *run = start("b");

    (void)state;
    assert_int_equal(0, starts);
    loop_turn(&loop, 0);
    assert_int_equal(1, starts);
    assert_int_equal(81, address_port(&address));
    driver->calls->let_go(run);
    loop_turn(&loop, 0);
    assert_int_equal(0, ends + failures);
}

static void a_name_without_one_is_refused(void **state)
{
    const struct driver_order order = {.name = "c", .id = 1};
    struct driver_run *run;
    struct error why;

    (void)state;
    assert_int_equal(-ENOENT, driver->calls->start(driver, &order, &events, NULL, &run, &why));
    assert_string_equal("no address is configured for 'c'", why.text);
}

static void a_replica_of_a_host_name_is_where_its_own_name_says(void **state)
{
    const struct driver_order order = {.name = "h", .id = 1};
    struct driver_run *run = start("h-10.0.0.9");
    char text[ADDRESS_TEXT_BYTES];

    (void)state;
    loop_turn(&loop, 0);
    address_to_text(&address, text);
    assert_string_equal("10.0.0.9:82", text);
    driver->calls->let_go(run);
    run = start("h-fd00..9");
    loop_turn(&loop, 0);
    address_to_text(&address, text);
    assert_string_equal("[fd00::9]:82", text);
    driver->calls->let_go(run);
    loop_turn(&loop, 0);
    assert_int_equal(-ENOENT, driver->calls->start(driver, &order, &events, NULL, &run, NULL));
}

static void a_stop_ends_the_use_and_nothing_else(void **state)
{
    struct driver_run *run = start("a");

    (void)state;
    loop_turn(&loop, 0);
    driver->calls->stop(run, 5000);
    assert_int_equal(0, ends);
    loop_turn(&loop, 0);
    assert_int_equal(1, ends);
    assert_int_equal(0, failures);
}

static void a_stop_before_the_start_was_told_is_a_failed_start(void **state)
{
    struct driver_run *run = start("a");

    (void)state;
    driver->calls->stop(run, 5000);
    loop_turn(&loop, 0);
    assert_int_equal(1, failures);
    assert_int_equal(0, starts + ends);
}

static void it_starts_and_lists_nothing(void **state)
{
    (void)state;
    assert_false(driver->can_restart);
    assert_null(driver->calls->adopt);
    assert_null(driver->calls->list);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(each_name_has_its_address),
        TEST(a_name_without_one_is_refused),
        TEST(a_replica_of_a_host_name_is_where_its_own_name_says),
        TEST(a_stop_ends_the_use_and_nothing_else),
        TEST(a_stop_before_the_start_was_told_is_a_failed_start),
        TEST(it_starts_and_lists_nothing),
    };

    return cmocka_run_group_tests_name("replica/driver_static", tests, NULL, NULL);
}
