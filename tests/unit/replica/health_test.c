#include "any_replica.h"

#include "replica/health.h"

#define PORT 4001

static struct health_group group;
static struct health health;
static enum health_verdict verdicts[16];
static uint64_t verdict_us[16];
static unsigned verdict_count;

static const struct health_settings settings = {
    .path = "/heartbeat",
    .interval_ms = 500,
    .timeout_ms = 200,
    .fall = 2,
    .rise = 2,
    .start_ms = 10000,
};

static void on_verdict(struct health *at, enum health_verdict verdict)
{
    assert_ptr_equal(at, &health);
    assert_true(verdict_count < 16);
    verdict_us[verdict_count] = any_now_us;
    verdicts[verdict_count++] = verdict;
}

static struct outbound_place place(void)
{
    struct outbound_place where = {.place = 3, .incarnation = 1};

    assert_int_equal(0, address_from_ip(VIEW("127.0.0.1"), PORT, &where.address));
    return where;
}

static int begin(void **state)
{
    (void)state;
    any_begin();
    verdict_count = 0;
    health_group_init(&group, &any_socks);
    health_init(&health, &group, &settings, on_verdict);
    return 0;
}

static int end(void **state)
{
    (void)state;
    health_stop(&health);
    health_group_finish(&group);
    any_end();
    return 0;
}

static void watch(void)
{
    struct outbound_place where = place();

    any_answers[PORT] = ANY_OK;
    health_watch(&health, &where);
    any_pass(2 * ANY_S);
    assert_int_equal(0, verdict_count);
}

static void a_probe_is_one_get_of_the_path_that_asks_for_no_more(void **state)
{
    struct outbound_place where = place();

    (void)state;
    any_answers[PORT] = ANY_OK;
    health_await_ready(&health, &where);
    any_turn();
    assert_string_equal(any_probe_text, "GET /heartbeat HTTP/1.1\r\n"
                                        "Host: 127.0.0.1:4001\r\n"
                                        "User-Agent: roost-health\r\n"
                                        "Connection: close\r\n");
}

static void one_success_is_ready(void **state)
{
    struct outbound_place where = place();

    (void)state;
    health_await_ready(&health, &where);
    any_pass(100 * ANY_MS);
    assert_int_equal(0, verdict_count);
    any_answers[PORT] = ANY_OK;
    any_pass(14 * ANY_MS);
    assert_int_equal(1, verdict_count);
    assert_int_equal(HEALTH_READY, verdicts[0]);
    any_pass(ANY_S);
    assert_int_equal(1, verdict_count);
}

static void readiness_is_asked_every_10_ms_for_a_second_and_then_slower(void **state)
{
    struct outbound_place where = place();
    unsigned fast;

    (void)state;
    health_await_ready(&health, &where);
    any_pass(ANY_S);
    fast = any_probe_count;
    assert_in_range(fast, 75, 101);
    any_pass(8 * ANY_S);
    assert_in_range(any_probe_count - fast, 30, 60);
    for (unsigned i = 1; i < any_probe_count; i++)
        assert_in_range(any_probe_us[i] - any_probe_us[i - 1], 10 * ANY_MS, 254 * ANY_MS);
}

static void a_start_that_is_never_ready_fails_when_its_time_is_over(void **state)
{
    struct outbound_place where = place();

    (void)state;
    health_await_ready(&health, &where);
    any_pass(9900 * ANY_MS);
    assert_int_equal(0, verdict_count);
    any_pass(200 * ANY_MS);
    assert_int_equal(1, verdict_count);
    assert_int_equal(HEALTH_NOT_READY, verdicts[0]);
    assert_string_equal("/heartbeat: connection refused", health.why);
}

static void an_error_is_not_ready(void **state)
{
    struct outbound_place where = place();

    (void)state;
    any_answers[PORT] = ANY_ERROR;
    health_await_ready(&health, &where);
    any_pass(500 * ANY_MS);
    assert_int_equal(0, verdict_count);
    assert_string_equal("/heartbeat answered 500", health.why);
}

static void probes_are_half_a_second_apart_with_jitter(void **state)
{
    uint64_t least_us = UINT64_MAX;
    uint64_t most_us = 0;

    (void)state;
    watch();
    any_pass(60 * ANY_S);
    for (unsigned i = 1; i < any_probe_count; i++) {
        uint64_t gap_us = any_probe_us[i] - any_probe_us[i - 1];

        least_us = gap_us < least_us ? gap_us : least_us;
        most_us = gap_us > most_us ? gap_us : most_us;
    }
    assert_in_range(least_us, 450 * ANY_MS, 480 * ANY_MS);
    assert_in_range(most_us, 520 * ANY_MS, 556 * ANY_MS);
}

static void one_that_hangs_is_down_after_two_misses_within_1200_ms(void **state)
{
    uint64_t hung_us;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        watch();
        any_pass(i * 37 * ANY_MS);
        any_answers[PORT] = ANY_SILENT;
        hung_us = any_now_us;
        any_pass(1200 * ANY_MS);
        assert_int_equal(1, verdict_count);
        assert_int_equal(HEALTH_DOWN, verdicts[0]);
        assert_true(verdict_us[0] - hung_us >= 500 * ANY_MS);
        assert_string_equal("/heartbeat: no answer within 200 ms", health.why);
        verdict_count = 0;
        health_stop(&health);
    }
}

static uint64_t answered_ago_us;

static uint64_t answered_us(void *owner, uint32_t place)
{
    assert_ptr_equal(owner, &health);
    assert_int_equal(place, 3);
    return any_now_us - answered_ago_us;
}

/* From its last word to the verdict down. */
static uint64_t hang(void)
{
    uint64_t hung_us;

    verdict_count = 0;
    watch();
    any_answers[PORT] = ANY_SILENT;
    hung_us = any_now_us;
    any_pass(3000 * ANY_MS);
    assert_int_equal(1, verdict_count);
    assert_int_equal(HEALTH_DOWN, verdicts[0]);
    health_stop(&health);
    return verdict_us[0] - hung_us;
}

static void one_that_answers_others_is_excused_three_times(void **state)
{
    (void)state;
    health_group_observe(&group, answered_us, &health);
    answered_ago_us = 50 * ANY_MS;
    /* Three more rounds of 200 ms and the 100 ms before the next. */
    assert_in_range(hang(), 1400 * ANY_MS, 2100 * ANY_MS);
    answered_ago_us = 51 * ANY_MS;
    assert_in_range(hang(), 500 * ANY_MS, 1200 * ANY_MS);
}

static void a_single_miss_is_forgiven(void **state)
{
    unsigned before;

    (void)state;
    watch();
    before = any_probe_count;
    any_answers[PORT] = ANY_ERROR;
    while (any_probe_count == before)
        any_pass(ANY_STEP_US);
    any_answers[PORT] = ANY_OK;
    any_pass(5 * ANY_S);
    assert_int_equal(0, verdict_count);
}

static void two_successes_make_it_up_again(void **state)
{
    uint64_t well_us;

    (void)state;
    watch();
    any_answers[PORT] = ANY_REFUSES;
    any_pass(3 * ANY_S);
    assert_int_equal(1, verdict_count);
    any_answers[PORT] = ANY_OK;
    well_us = any_now_us;
    any_pass(ANY_S);
    assert_int_equal(2, verdict_count);
    assert_int_equal(HEALTH_UP, verdicts[1]);
    assert_true(verdict_us[1] - well_us >= 100 * ANY_MS);
}

/* The probe was out when we were stopped; what comes of it is nobody's fault. */
static void a_keeper_that_was_stopped_blames_nobody(void **state)
{
    (void)state;
    watch();
    for (unsigned i = 0; i < 10; i++) {
        unsigned before = any_probe_count;

        any_answers[PORT] = ANY_SILENT;
        while (any_probe_count == before)
            any_pass(ANY_STEP_US);
        any_sleep(20 * ANY_S);
        any_answers[PORT] = ANY_OK;
        any_pass(ANY_S);
    }
    assert_int_equal(0, verdict_count);
}

static void a_start_does_not_age_while_the_keeper_is_stopped(void **state)
{
    struct outbound_place where = place();

    (void)state;
    health_await_ready(&health, &where);
    any_pass(5 * ANY_S);
    any_sleep(60 * ANY_S);
    any_pass(4 * ANY_S);
    assert_int_equal(0, verdict_count);
    any_pass(1300 * ANY_MS);
    assert_int_equal(HEALTH_NOT_READY, verdicts[0]);
}

static void a_stopped_watch_is_silent(void **state)
{
    unsigned before;

    (void)state;
    watch();
    any_answers[PORT] = ANY_SILENT;
    any_pass(600 * ANY_MS);
    health_stop(&health);
    before = any_probe_count;
    verdict_count = 0;
    any_pass(5 * ANY_S);
    assert_int_equal(before, any_probe_count);
    assert_int_equal(0, verdict_count);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_probe_is_one_get_of_the_path_that_asks_for_no_more),
        TEST(one_success_is_ready),
        TEST(readiness_is_asked_every_10_ms_for_a_second_and_then_slower),
        TEST(a_start_that_is_never_ready_fails_when_its_time_is_over),
        TEST(an_error_is_not_ready),
        TEST(probes_are_half_a_second_apart_with_jitter),
        TEST(one_that_hangs_is_down_after_two_misses_within_1200_ms),
        TEST(one_that_answers_others_is_excused_three_times),
        TEST(a_single_miss_is_forgiven),
        TEST(two_successes_make_it_up_again),
        TEST(a_keeper_that_was_stopped_blames_nobody),
        TEST(a_start_does_not_age_while_the_keeper_is_stopped),
        TEST(a_stopped_watch_is_silent),
    };

    return cmocka_run_group_tests_name("replica/health", tests, NULL, NULL);
}
