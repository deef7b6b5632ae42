#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/security.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TOKEN "0123456789abcdef"

/* A head with the given fields, which stay the caller's. */
static struct head head_with(const char *host, struct field *fields, unsigned count)
{
    return (struct head){.host = view_of(host), .fields = fields, .field_count = (uint16_t)count};
}

static struct field field(const char *name, const char *value)
{
    return (struct field){.name = view_of(name), .value = view_of(value)};
}

/* What a change is answered: by a client with that field (or none) who came that way. */
static uint16_t ask(const struct security_rules *rules, const char *name, const char *value,
                    bool is_traffic, bool is_loopback_listener)
{
    struct field fields[] = {field(name ? name : "X-Nothing", value ? value : "")};
    struct head head = head_with("localhost:5000", fields, 1);
    struct security_question question = {
        .head = &head,
        .is_mutation = true,
        .is_traffic = is_traffic,
        .is_loopback_listener = is_loopback_listener,
    };
    struct security security;
    struct error why;

    security_init(&security, rules);
    return security_check(&security, &question, &why);
}

static void equal_secrets_are_equal_and_others_are_not(void **state)
{
    (void)state;
    assert_true(security_equals(VIEW(TOKEN), VIEW(TOKEN)));
    assert_false(security_equals(VIEW(""), VIEW(TOKEN)));
    assert_false(security_equals(VIEW("0123456789abcde"), VIEW(TOKEN)));
    assert_false(security_equals(VIEW(TOKEN "0"), VIEW(TOKEN)));
    assert_false(security_equals(VIEW(TOKEN TOKEN), VIEW(TOKEN)));
    assert_false(security_equals(VIEW(TOKEN), VIEW("")));
    assert_false(security_equals(VIEW(""), VIEW("")));
}

static void a_difference_of_one_bit_anywhere_is_seen(void **state)
{
    char given[] = TOKEN;

    (void)state;
    for (size_t i = 0; i < sizeof(TOKEN) - 1; i++) {
        for (int bit = 0; bit < 8; bit++) {
            given[i] ^= (char)(1 << bit);
            assert_false(security_equals(view_of(given), VIEW(TOKEN)));
            given[i] ^= (char)(1 << bit);
        }
    }
}

#define SECRET_BYTES 4096
#define ROUNDS       400

static uint64_t time_of(const char *given, const char *secret)
{
    struct view a = {given, SECRET_BYTES};
    struct view b = {secret, SECRET_BYTES};
    uint64_t best_ns = UINT64_MAX;

    for (int i = 0; i < ROUNDS; i++) {
        struct timespec before;
        struct timespec after;
        uint64_t took_ns;

        clock_gettime(CLOCK_MONOTONIC, &before);
        (void)!security_equals(a, b);
        clock_gettime(CLOCK_MONOTONIC, &after);
        took_ns = (uint64_t)(after.tv_sec - before.tv_sec) * 1000000000u +
                  (uint64_t)(after.tv_nsec - before.tv_nsec);
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    return best_ns;
}

static void where_two_secrets_differ_takes_no_time_to_see(void **state)
{
    static char secret[SECRET_BYTES];
    static char early[SECRET_BYTES];
    static char late[SECRET_BYTES];
    uint64_t early_ns;
    uint64_t late_ns;

    (void)state;
    early[0] = 1;
    late[SECRET_BYTES - 1] = 1;
    early_ns = time_of(early, secret);
    late_ns = time_of(late, secret);
    /* A comparison that stops at the first difference would be thousands of times apart. */
    assert_true(early_ns * 2 > late_ns);
    assert_true(late_ns * 2 > early_ns);
}

static void without_a_token_the_control_port_takes_changes(void **state)
{
    struct security_rules rules = {0};

    (void)state;
    assert_int_equal(0, ask(&rules, NULL, NULL, false, false));
}

static void with_a_token_the_control_port_asks_for_it(void **state)
{
    struct security_rules rules = {.token = TOKEN};

    (void)state;
    assert_int_equal(401, ask(&rules, NULL, NULL, false, false));
    assert_int_equal(401, ask(&rules, "Authorization", "Bearer " TOKEN "x", false, false));
    assert_int_equal(401, ask(&rules, "Authorization", "Basic " TOKEN, false, false));
    assert_int_equal(401, ask(&rules, "Authorization", "Bearer", false, false));
    assert_int_equal(401, ask(&rules, "Authorization", "Bearer ", false, false));
    assert_int_equal(0, ask(&rules, "Authorization", "Bearer " TOKEN, false, false));
    assert_int_equal(0, ask(&rules, "authorization", "bearer  " TOKEN, false, false));
}

static void the_traffic_port_takes_changes_by_loopback_token_or_setting(void **state)
{
    struct security_rules nothing = {0};
    struct security_rules token = {.token = TOKEN};
    struct security_rules open = {.is_open = true};

    (void)state;
    assert_int_equal(0, ask(&nothing, NULL, NULL, true, true));
    assert_int_equal(403, ask(&nothing, NULL, NULL, true, false));
    assert_int_equal(0, ask(&open, NULL, NULL, true, false));
    assert_int_equal(403, ask(&token, NULL, NULL, true, false));
    assert_int_equal(0, ask(&token, "Authorization", "Bearer " TOKEN, true, false));
    assert_int_equal(0, ask(&token, NULL, NULL, true, true));
}

static void pages_of_other_sites_change_nothing(void **state)
{
    struct security_rules rules = {.is_open = true};

    (void)state;
    assert_int_equal(403, ask(&rules, "Origin", "http://evil.example", true, true));
    assert_int_equal(403, ask(&rules, "Origin", "null", true, true));
    assert_int_equal(403, ask(&rules, "Origin", "", true, true));
    assert_int_equal(403, ask(&rules, "Origin", "http://localhost:5001", true, true));
    assert_int_equal(403, ask(&rules, "Origin", "http://localhost:5000.evil.example", true, true));
    assert_int_equal(0, ask(&rules, "Origin", "http://localhost:5000", true, true));
    assert_int_equal(0, ask(&rules, "Origin", "https://LOCALHOST:5000", true, true));
    assert_int_equal(403, ask(&rules, "Sec-Fetch-Site", "cross-site", true, true));
    assert_int_equal(0, ask(&rules, "Sec-Fetch-Site", "same-origin", true, true));
    assert_int_equal(0, ask(&rules, "Sec-Fetch-Site", "none", true, true));
}

static void hosts_are_ours_whatever_the_port(void **state)
{
    char name[] = "balancer.example";
    char *hosts[] = {name};
    struct security_rules rules = {.hosts = hosts, .host_count = 1};
    struct security security;
    char own[SECURITY_HOST_BYTES + 8];

    (void)state;
    security_init(&security, &rules);
    snprintf(own, sizeof(own), "%s:99", security.own_name);
    assert_true(security_is_our_host(&security, VIEW("localhost")));
    assert_true(security_is_our_host(&security, VIEW("LocalHost:5001")));
    assert_true(security_is_our_host(&security, VIEW("127.0.0.1:1")));
    assert_true(security_is_our_host(&security, VIEW("192.0.2.7")));
    assert_true(security_is_our_host(&security, VIEW("[::1]:5001")));
    assert_true(security_is_our_host(&security, VIEW("Balancer.Example:443")));
    if (security.own_name[0])
        assert_true(security_is_our_host(&security, view_of(own)));
    assert_false(security_is_our_host(&security, VIEW("evil.example")));
    assert_false(security_is_our_host(&security, VIEW("localhost.evil.example")));
    assert_false(security_is_our_host(&security, VIEW("127.0.0.1.evil.example")));
    assert_false(security_is_our_host(&security, VIEW("")));
    assert_false(security_is_our_host(&security, (struct view){NULL, 0}));
}

static void reading_the_traffic_port_is_free_to_any_host(void **state)
{
    struct head head = head_with("anything.example", NULL, 0);
    struct security_question question = {.head = &head, .is_traffic = true};
    struct security_rules rules = {0};
    struct security security;
    struct error why;

    (void)state;
    security_init(&security, &rules);
    assert_int_equal(0, security_check(&security, &question, &why));
    question.is_mutation = true;
    assert_int_equal(421, security_check(&security, &question, &why));
    question.is_mutation = false;
    question.is_traffic = false;
    assert_int_equal(421, security_check(&security, &question, &why));
}

static uint64_t guess(struct security *security, const char *token, uint64_t now_us)
{
    struct field fields[] = {field("Authorization", token)};
    struct head head = head_with("localhost", fields, 1);

    return security_guess_delay_us(security, &head, now_us);
}

static void wrong_tokens_take_longer_and_longer(void **state)
{
    struct security_rules rules = {.token = TOKEN};
    struct security security;
    uint64_t before_us = 0;

    (void)state;
    security_init(&security, &rules);
    for (int i = 0; i < SECURITY_FREE_GUESSES; i++)
        assert_int_equal(0, guess(&security, "Bearer wrong", 1));
    assert_int_equal(SECURITY_DELAY_US, guess(&security, "Bearer wrong", 1));
    for (int i = 0; i < 1000; i++) {
        uint64_t delay_us = guess(&security, "Bearer wrong", 1);

        assert_true(delay_us >= before_us);
        before_us = delay_us;
    }
    assert_int_equal(SECURITY_DELAY_MOST_US, before_us);
    assert_int_equal(0, guess(&security, "Bearer " TOKEN, 1));
    assert_int_equal(0, guess(&security, "Bearer wrong", 1 + SECURITY_CALM_US));
}

static void who_gives_no_token_does_not_guess(void **state)
{
    struct security_rules rules = {.token = TOKEN};
    struct head head = head_with("localhost", NULL, 0);
    struct security security;

    (void)state;
    security_init(&security, &rules);
    for (int i = 0; i < 100; i++)
        assert_int_equal(0, security_guess_delay_us(&security, &head, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_secrets_are_equal_and_others_are_not),
        cmocka_unit_test(a_difference_of_one_bit_anywhere_is_seen),
        cmocka_unit_test(where_two_secrets_differ_takes_no_time_to_see),
        cmocka_unit_test(without_a_token_the_control_port_takes_changes),
        cmocka_unit_test(with_a_token_the_control_port_asks_for_it),
        cmocka_unit_test(the_traffic_port_takes_changes_by_loopback_token_or_setting),
        cmocka_unit_test(pages_of_other_sites_change_nothing),
        cmocka_unit_test(hosts_are_ours_whatever_the_port),
        cmocka_unit_test(wrong_tokens_take_longer_and_longer),
        cmocka_unit_test(who_gives_no_token_does_not_guess),
        cmocka_unit_test(reading_the_traffic_port_is_free_to_any_host),
    };

    return cmocka_run_group_tests_name("control/security", tests, NULL, NULL);
}
