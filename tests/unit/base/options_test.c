#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "base/attribute.h"
#include "base/options.h"

#define WORDS_MAX 8

struct wish {
    const char *out;
    uint64_t seed;
    unsigned count;
    int format;
    bool is_quiet;
    unsigned taken;
};

static struct error why;

static int take_twice(const struct options_row *row, const char *text, struct error *reason)
{
    unsigned *taken = row->value;

    if (*taken == 2)
        return error_set(reason, -E2BIG, "'%s' is one too many", text);
    (*taken)++;
    return 0;
}

/* Reads the words after "roost load"; *rest becomes the first that is no option. */
static int parse(const char *const *words, struct wish *wish, const char **rest)
{
    const struct options_row rows[] = {
        {"count", 'c', options_count, &wish->count, 1, 10},
        {"csv", 0, options_choice, &wish->format, 0, 2},
        {"json", 0, options_choice, &wish->format, 0, 1},
        {"header", 'H', take_twice, &wish->taken, 0, 0},
        {"out", 0, options_text, &wish->out, 0, 0},
        {"quiet", 'q', options_flag, &wish->is_quiet, 0, 0},
        {"seed", 0, options_number, &wish->seed, 0, UINT64_MAX},
        {0},
    };
    char *arguments[WORDS_MAX + 2] = {"load"};
    int count = 1;
    int first = 0;
    int result;

    *wish = (struct wish){0};
    while (*words)
        arguments[count++] = (char *)*words++;
    result = options_read(count, arguments, rows, "load", &first, &why);
    *rest = first < count ? arguments[first] : NULL;
    return result;
}

static void assert_untouched(const struct wish *wish)
{
    assert_null(wish->out);
    assert_int_equal(wish->seed, 0);
    assert_int_equal(wish->count, 0);
    assert_int_equal(wish->format, 0);
    assert_int_equal(wish->taken, 0);
    assert_false(wish->is_quiet);
}

static void options_come_in_any_order_and_spelling(void **state)
{
    static const char *const spellings[][WORDS_MAX] = {
        {"-c", "3", "--out", "here", "-q", "URL"},
        {"URL", "-qc3", "--out=here"},
        {"--quiet", "URL", "--count=3", "--out", "here"},
        {"-c3", "-q", "--out", "here", "--", "URL"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
        const char *rest;
        struct wish wish;

        assert_int_equal(parse(spellings[i], &wish, &rest), 0);
        assert_int_equal(wish.count, 3);
        assert_string_equal(wish.out, "here");
        assert_true(wish.is_quiet);
        assert_string_equal(rest, "URL");
    }
}

static void what_was_not_said_stays_as_it_was(void **state)
{
    const char *rest;
    struct wish wish;

    (void)state;
    assert_int_equal(parse((const char *const[]){NULL}, &wish, &rest), 0);
    assert_untouched(&wish);
    assert_null(rest);
}

static void the_last_of_two_choices_counts(void **state)
{
    const char *rest;
    struct wish wish;

    (void)state;
    assert_int_equal(parse((const char *const[]){"--json", "--csv", NULL}, &wish, &rest), 0);
    assert_int_equal(wish.format, 2);
    assert_int_equal(parse((const char *const[]){"--csv", "--json", NULL}, &wish, &rest), 0);
    assert_int_equal(wish.format, 1);
}

static void a_function_of_its_own_takes_each_value_and_may_refuse(void **state)
{
    const char *rest;
    struct wish wish;

    (void)state;
    assert_int_equal(parse((const char *const[]){"-H", "a", "--header=b", NULL}, &wish, &rest), 0);
    assert_int_equal(wish.taken, 2);
    assert_int_equal(parse((const char *const[]){"-Ha", "-Hb", "-Hc", NULL}, &wish, &rest), -E2BIG);
    assert_string_equal(why.text, "'c' is one too many");
}

static void a_seed_may_be_as_large_as_its_type(void **state)
{
    const char *rest;
    struct wish wish;

    (void)state;
    assert_int_equal(
        parse((const char *const[]){"--seed", "18446744073709551615", NULL}, &wish, &rest), 0);
    assert_true(wish.seed == UINT64_MAX);
}

static void what_is_wrong_is_one_sentence(void **state)
{
    static const struct {
        const char *words[3];
        const char *sentence;
    } cases[] = {
        {{"--nonsense"}, "'--nonsense' is not known; roost load --help"},
        {{"-x"}, "'-x' is not known; roost load --help"},
        {{"-c"}, "-c needs a value"},
        {{"--out"}, "--out needs a value"},
        {{"-c", "0"}, "-c is '0': expected a number from 1 to 10"},
        {{"--count", "11"}, "-c is '11': expected a number from 1 to 10"},
        {{"-c", "three"}, "-c is 'three': expected a number from 1 to 10"},
        {{"--seed", "-1"}, "--seed is '-1': expected a number from 0 to 18446744073709551615"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *rest;
        struct wish wish;

        assert_int_equal(parse(cases[i].words, &wish, &rest), -EINVAL);
        assert_string_equal(why.text, cases[i].sentence);
        assert_untouched(&wish);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_come_in_any_order_and_spelling),
        cmocka_unit_test(what_was_not_said_stays_as_it_was),
        cmocka_unit_test(the_last_of_two_choices_counts),
        cmocka_unit_test(a_function_of_its_own_takes_each_value_and_may_refuse),
        cmocka_unit_test(a_seed_may_be_as_large_as_its_type),
        cmocka_unit_test(what_is_wrong_is_one_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
