#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <math.h>

#include "base/attribute.h"
#include "load/load_keys.h"

static char text[LOAD_KEYS_BYTES];

static void start(struct load_keys *keys, const char *pattern, uint64_t seed)
{
    struct error why;

    assert_int_equal(load_keys_init(keys, pattern, seed, &why), 0);
}

static unsigned next_number(struct load_keys *keys)
{
    uint64_t number = 0;

    assert_int_equal(view_to_number(load_keys_next(keys, text), UINT64_MAX, &number), 0);
    return (unsigned)number;
}

static void unique_keys_count_from_one(void **state)
{
    struct load_keys keys;

    (void)state;
    start(&keys, "unique", 9);
    for (unsigned i = 1; i <= 1000; i++)
        assert_int_equal(next_number(&keys), i);
    load_keys_finish(&keys);
}

static void random_keys_have_six_digits_and_are_even(void **state)
{
    unsigned tenths[10] = {0};
    struct load_keys keys;

    (void)state;
    start(&keys, "random", 1);
    for (unsigned i = 0; i < 90000; i++) {
        unsigned key = next_number(&keys);

        assert_in_range(key, 100000, 999999);
        tenths[key / 100000]++;
    }
    /* 10,000 each; a standard deviation is 94. */
    for (unsigned i = 1; i < 10; i++)
        assert_in_range(tenths[i], 9500, 10500);
    load_keys_finish(&keys);
}

static void a_seed_repeats_its_keys_and_another_has_others(void **state)
{
    struct load_keys one;
    struct load_keys same;
    struct load_keys other;
    unsigned equal = 0;

    (void)state;
    start(&one, "random", 5);
    start(&same, "random", 5);
    start(&other, "random", 6);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned key = next_number(&one);

        assert_int_equal(next_number(&same), key);
        equal += next_number(&other) == key;
    }
    assert_true(equal < 10);
}

/* Against the definition: P(k) = k^-s / sum. */
static void check_zipf(const char *pattern, double exponent, unsigned count)
{
    enum { DRAWN = 200000 };
    unsigned *seen = calloc(count + 1, sizeof(*seen));
    struct load_keys keys;
    double sum = 0;

    for (unsigned k = 1; k <= count; k++)
        sum += pow(k, -exponent);
    start(&keys, pattern, 3);
    for (unsigned i = 0; i < DRAWN; i++) {
        unsigned key = next_number(&keys);

        assert_in_range(key, 1, count);
        seen[key]++;
    }
    for (unsigned k = 1; k <= count && k <= 20; k++) {
        double expected = DRAWN * pow(k, -exponent) / sum;

        assert_true(fabs(seen[k] - expected) < 5 * sqrt(expected) + 1);
    }
    load_keys_finish(&keys);
    free(seen);
}

static void zipf_keys_are_as_skewed_as_the_law_says(void **state)
{
    (void)state;
    check_zipf("zipf:1:1000", 1, 1000);
    check_zipf("zipf:0.7:50", 0.7, 50);
    check_zipf("zipf:1.3:100000", 1.3, 100000);
    check_zipf("zipf:3:10", 3, 10);
    check_zipf("zipf:2:1", 2, 1);
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void the_lines_of_a_file_come_over_and_over(void **state)
{
    static const char *const expected[] = {"one", "two words", "three", "one", "two words"};
    char path[] = "/tmp/load-keys.XXXXXX";
    char pattern[64];
    struct load_keys keys;

    (void)state;
    close(mkstemp(path));
    write_file(path, "one\r\n\n two words \nthree");
    snprintf(pattern, sizeof(pattern), "file:%s", path);
    start(&keys, pattern, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
        assert_true(view_equals(load_keys_next(&keys, text), view_of(expected[i])));
    load_keys_finish(&keys);
    unlink(path);
}

static void what_is_no_pattern_is_refused_with_a_sentence(void **state)
{
    static const char *const wrong[] = {"",
                                        "sometimes",
                                        "zipf:",
                                        "zipf:1",
                                        "zipf:1:",
                                        "zipf:-1:5",
                                        "zipf:1:0",
                                        "zipf:a:5",
                                        "zipf:1:x",
                                        "file:",
                                        "file:/nowhere/at/all"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct load_keys keys;
        struct error why = {""};

        assert_true(load_keys_init(&keys, wrong[i], 0, &why) < 0);
        assert_true(why.text[0] != 0);
    }
}

static void a_file_with_a_control_byte_or_without_keys_is_refused(void **state)
{
    static const char *const wrong[] = {"", "\n\n", "good\nb\tad\n"};
    char path[] = "/tmp/load-keys.XXXXXX";
    char pattern[64];

    (void)state;
    close(mkstemp(path));
    snprintf(pattern, sizeof(pattern), "file:%s", path);
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct load_keys keys;
        struct error why;

        write_file(path, wrong[i]);
        assert_true(load_keys_init(&keys, pattern, 0, &why) < 0);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unique_keys_count_from_one),
        cmocka_unit_test(random_keys_have_six_digits_and_are_even),
        cmocka_unit_test(a_seed_repeats_its_keys_and_another_has_others),
        cmocka_unit_test(zipf_keys_are_as_skewed_as_the_law_says),
        cmocka_unit_test(the_lines_of_a_file_come_over_and_over),
        cmocka_unit_test(what_is_no_pattern_is_refused_with_a_sentence),
        cmocka_unit_test(a_file_with_a_control_byte_or_without_keys_is_refused),
    };

    return cmocka_run_group_tests_name("load/load_keys", tests, NULL, NULL);
}
