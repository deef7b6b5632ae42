#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill(const char *const *words, const char *const *env, const char *name,
                 struct command_words *filled)
{
    struct command command;
    struct error why;

    assert_int_equal(0, command_init(&command, words, env, &why));
    assert_int_equal(0, command_fill(&command, name, 5003, filled, &why));
    command_finish(&command);
}

static void what_is_in_braces_is_filled_in(void **state)
{
    const char *const words[] = {"{name}", "a{port}b{port}", "{}{ports}{nam", "", NULL};
    struct command_words filled;

    (void)state;
    fill(words, NULL, "{port}", &filled);
    assert_string_equal("{port}", filled.argv[0]);
    assert_string_equal("a5003b5003", filled.argv[1]);
    assert_string_equal("{}{ports}{nam", filled.argv[2]);
    assert_string_equal("", filled.argv[3]);
    assert_null(filled.argv[4]);
    command_words_finish(&filled);
}

static void nothing_of_our_environment_but_path_is_passed_on(void **state)
{
    const char *const words[] = {"app", NULL};
    struct command_words filled;

    (void)state;
    setenv("PATH", "/a:/b", 1);
    setenv("ROOST_CONTROL_TOKEN", "secret", 1);
    fill(words, NULL, "Server 3", &filled);
    assert_string_equal("PATH=/a:/b", filled.environment[0]);
    assert_string_equal("SERVER_ID=3", filled.environment[1]);
    assert_string_equal("PORT=5003", filled.environment[2]);
    assert_null(filled.environment[3]);
    command_words_finish(&filled);
}

static void without_a_path_there_is_a_plain_one(void **state)
{
    const char *const words[] = {"app", NULL};
    struct command_words filled;

    (void)state;
    unsetenv("PATH");
    fill(words, NULL, "a", &filled);
    assert_string_equal("PATH=" COMMAND_PATH, filled.environment[0]);
    command_words_finish(&filled);
}

static void what_is_configured_wins(void **state)
{
    const char *const words[] = {"app", NULL};
    const char *const env[] = {"PORT=80", "PORTS=x", "PATH=/c", NULL};
    struct command_words filled;

    (void)state;
    fill(words, env, "a", &filled);
    assert_string_equal("SERVER_ID=a", filled.environment[0]);
    assert_string_equal("PORT=80", filled.environment[1]);
    assert_string_equal("PORTS=x", filled.environment[2]);
    assert_string_equal("PATH=/c", filled.environment[3]);
    assert_null(filled.environment[4]);
    command_words_finish(&filled);
}

static void a_word_that_grows_too_long_is_an_error(void **state)
{
    char *word = malloc(COMMAND_WORD_BYTES + 1);
    const char *const words[] = {word, NULL};
    struct command command;
    struct command_words filled;
    struct error why;

    (void)state;
    memset(word, 'x', COMMAND_WORD_BYTES);
    word[COMMAND_WORD_BYTES] = '\0';
    assert_int_equal(0, command_init(&command, words, NULL, &why));
    assert_int_equal(-E2BIG, command_fill(&command, "a", 1, &filled, &why));
    command_finish(&command);
    free(word);
}

static void too_many_words_are_refused(void **state)
{
    const char *words[COMMAND_WORDS_MAX + 2];
    struct command command;
    struct error why;

    (void)state;
    for (unsigned i = 0; i <= COMMAND_WORDS_MAX; i++)
        words[i] = "x";
    words[COMMAND_WORDS_MAX + 1] = NULL;
    assert_int_equal(-EINVAL, command_init(&command, words, NULL, &why));
    words[COMMAND_WORDS_MAX] = NULL;
    assert_int_equal(0, command_init(&command, words, NULL, &why));
    command_finish(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_braces_is_filled_in),
        cmocka_unit_test(nothing_of_our_environment_but_path_is_passed_on),
        cmocka_unit_test(without_a_path_there_is_a_plain_one),
        cmocka_unit_test(what_is_configured_wins),
        cmocka_unit_test(a_word_that_grows_too_long_is_an_error),
        cmocka_unit_test(too_many_words_are_refused),
    };

    return cmocka_run_group_tests_name("replica/command", tests, NULL, NULL);
}
