#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/counts.h"

#include <stdlib.h>

#include "base/memory.h"

static struct count_segment *worker_with(uint64_t requests, uint32_t in_flight)
{
    struct count_segment *segment = memory_allocate(sizeof(*segment));

    SEGMENTS_SET(segment->requests, requests);
    SEGMENTS_SET(segment->in_flight, in_flight);
    SEGMENTS_SET(segment->connections, 5);
    SEGMENTS_SET(segment->statuses[2], requests);
    SEGMENTS_SET(segment->seats[7].requests, requests);
    SEGMENTS_SET(segment->seats[7].in_flight, in_flight);
    SEGMENTS_SET(segment->seats[7].latency[3], (uint32_t)requests);
    return segment;
}

static void a_worker_that_is_gone_leaves_its_counts_and_nothing_in_flight(void **state)
{
    struct counts *gone = memory_allocate(sizeof(*gone));
    struct count_segment *first = worker_with(10, 3);
    struct count_segment *second = worker_with(7, 2);
    struct counts_total total;
    struct counts_seat seat;

    (void)state;
    counts_fold(gone, first);
    total = gone->total;
    seat = gone->seats[7];
    counts_add_total(&total, second);
    counts_add_seat(&seat, second, 7);
    assert_int_equal(17, total.requests);
    assert_int_equal(17, total.statuses[2]);
    assert_int_equal(2, total.in_flight);
    assert_int_equal(5, total.connections);
    assert_int_equal(17, seat.requests);
    assert_int_equal(17, seat.latency[3]);
    assert_int_equal(2, seat.in_flight);
    free(first);
    free(second);
    free(gone);
}

static void what_others_counted_in_a_seat_is_not_its_own(void **state)
{
    struct counts_seat before = {.requests = 10, .failures = 2, .latency = {[3] = 10}};
    struct counts_seat now = {.requests = 15, .failures = 2, .in_flight = 4, .latency = {[3] = 14}};

    (void)state;
    counts_subtract(&now, &before);
    assert_int_equal(5, now.requests);
    assert_int_equal(0, now.failures);
    assert_int_equal(4, now.in_flight);
    assert_int_equal(4, now.latency[3]);
}

static void a_worker_that_writes_nonsense_leaves_no_number_below_zero(void **state)
{
    struct counts_seat before = {.requests = 10, .latency = {[0] = 1}};
    struct counts_seat now = {.requests = 3};

    (void)state;
    counts_subtract(&now, &before);
    assert_int_equal(0, now.requests);
    assert_int_equal(0, now.latency[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_that_is_gone_leaves_its_counts_and_nothing_in_flight),
        cmocka_unit_test(what_others_counted_in_a_seat_is_not_its_own),
        cmocka_unit_test(a_worker_that_writes_nonsense_leaves_no_number_below_zero),
    };

    return cmocka_run_group_tests_name("control/counts", tests, NULL, NULL);
}
