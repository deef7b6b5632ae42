#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void an_answer_is_good_for_its_ttl_within_bounds(void **state)
{
    struct resolver_answer *answer = calloc(1, sizeof(*answer));
    static const uint32_t ttls[][2] = {{0, 1},     {1, 1},     {2, 2},       {60, 60},
                                       {300, 300}, {301, 300}, {86400, 300}, {UINT32_MAX, 300}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ttls); i++) {
        answer->ttl_s = ttls[i][0];
        assert_int_equal(ttls[i][1], lookup_ttl_s(answer));
    }
    answer->is_local = true;
    assert_int_equal(5, lookup_ttl_s(answer));
    free(answer);
}

static void failures_are_asked_again_after_a_growing_delay(void **state)
{
    (void)state;
    assert_int_equal(1000, lookup_retry_ms(1));
    assert_int_equal(2000, lookup_retry_ms(2));
    assert_int_equal(4000, lookup_retry_ms(3));
    assert_int_equal(16000, lookup_retry_ms(5));
    assert_int_equal(30000, lookup_retry_ms(6));
    assert_int_equal(30000, lookup_retry_ms(7));
    assert_int_equal(30000, lookup_retry_ms(1000000));
}

/* ---- both families ---- */

static struct lookup_known known[RESOLVER_FAMILIES];

/* What came of a family: a result, or the last digits of addresses. */
static void find(struct resolver_found *found, enum resolver_family family, int result,
                 const char *digits)
{
    memset(found, 0, sizeof(*found));
    found->result = result;
    for (; digits && *digits; digits++) {
        char text[32];

        snprintf(text, sizeof(text), family == RESOLVER_IPV4 ? "10.0.0.%c" : "fd00::%c", *digits);
        assert_int_equal(0, address_from_ip(view_of(text), 80, &found->addresses[found->count++]));
    }
}

static void expect(int family, const char *digits)
{
    assert_int_equal(strlen(digits), known[family].count);
    for (unsigned i = 0; i < known[family].count; i++) {
        char text[ADDRESS_TEXT_BYTES];

        address_ip_to_text(&known[family].addresses[i], text);
        assert_int_equal(digits[i], text[strlen(text) - 1]);
    }
}

static void each_family_is_replaced_emptied_or_kept_by_what_came_of_it(void **state)
{
    static const struct {
        int four;
        int six;
        const char *four_before, *six_before, *four_found, *six_found, *four_after, *six_after;
        bool is_answered;
    } rows[] = {
        {0, 0, "", "", "12", "3", "12", "3", true},
        {0, -ENODATA, "1", "2", "34", "", "34", "", true},
        {-ENODATA, 0, "1", "2", "", "3", "", "3", true},
        {0, -ETIMEDOUT, "1", "2", "3", "", "3", "2", true},
        {-EIO, 0, "1", "2", "", "3", "1", "3", true},
        {-ENODATA, -ENODATA, "1", "2", "", "", "1", "2", false},
        {-EIO, -ETIMEDOUT, "1", "2", "", "", "1", "2", false},
        {-ENODATA, -EIO, "1", "2", "", "", "1", "2", false},
        {-EIO, -ENODATA, "", "", "", "", "", "", false},
    };
    struct resolver_answer *answer = calloc(1, sizeof(*answer));
    struct resolver_found *before = calloc(1, sizeof(*before));

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *both[] = {rows[i].four_before, rows[i].six_before};

        for (int family = 0; family < RESOLVER_FAMILIES; family++) {
            find(before, (enum resolver_family)family, 0, both[family]);
            known[family].count = before->count;
            free(known[family].addresses);
            known[family].addresses = malloc(sizeof(before->addresses));
            memcpy(known[family].addresses, before->addresses, sizeof(before->addresses));
        }
        find(&answer->found[RESOLVER_IPV4], RESOLVER_IPV4, rows[i].four, rows[i].four_found);
        find(&answer->found[RESOLVER_IPV6], RESOLVER_IPV6, rows[i].six, rows[i].six_found);
        assert_int_equal(rows[i].is_answered, lookup_merge(known, answer));
        expect(RESOLVER_IPV4, rows[i].four_after);
        expect(RESOLVER_IPV6, rows[i].six_after);
    }
    for (int family = 0; family < RESOLVER_FAMILIES; family++)
        free(known[family].addresses);
    free(before);
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_good_for_its_ttl_within_bounds),
        cmocka_unit_test(failures_are_asked_again_after_a_growing_delay),
        cmocka_unit_test(each_family_is_replaced_emptied_or_kept_by_what_came_of_it),
    };

    return cmocka_run_group_tests_name("control/lookup", tests, NULL, NULL);
}
