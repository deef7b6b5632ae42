#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

static void a_sentence_is_set_and_the_code_comes_back(void **state)
{
    struct error why;

    (void)state;
    assert_int_equal(error_set(&why, -EINVAL, "line %d", 7), -EINVAL);
    assert_string_equal(why.text, "line 7");
    assert_int_equal(error_set(NULL, -EIO, "nobody reads %s", "this"), -EIO);
}

static void a_prefix_goes_before_what_is_there(void **state)
{
    struct error why;

    (void)state;
    error_set(&why, -EINVAL, "no number");
    assert_int_equal(error_prefix(&why, -ENOENT, "%s:%d", "a.yaml", 3), -ENOENT);
    assert_string_equal(why.text, "a.yaml:3: no number");
    assert_int_equal(error_prefix(NULL, -ENOENT, "x"), -ENOENT);
}

static void a_long_sentence_is_cut_and_still_ends(void **state)
{
    char text[2 * ERROR_TEXT_BYTES];
    struct error why;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    error_set(&why, -EINVAL, "%s", text);
    assert_int_equal(strlen(why.text), ERROR_TEXT_BYTES - 1);
    error_prefix(&why, -EINVAL, "here");
    assert_int_equal(strlen(why.text), ERROR_TEXT_BYTES - 1);
    assert_memory_equal(why.text, "here: xxx", 9);
    error_prefix(&why, -EINVAL, "%s", text);
    assert_int_equal(strlen(why.text), ERROR_TEXT_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentence_is_set_and_the_code_comes_back),
        cmocka_unit_test(a_prefix_goes_before_what_is_there),
        cmocka_unit_test(a_long_sentence_is_cut_and_still_ends),
    };

    return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
