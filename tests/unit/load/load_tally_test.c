#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "load/load_tally.h"

static void names_are_counted_apart(void **state)
{
    struct load_tally tally;
    uint16_t one;
    uint16_t two;

    (void)state;
    load_tally_init(&tally);
    one = load_tally_find(&tally, VIEW("Server 1"));
    two = load_tally_find(&tally, VIEW("Server 2"));
    assert_int_not_equal(one, two);
    assert_int_equal(load_tally_find(&tally, VIEW("Server 1")), one);
    tally.entries[one].count += 3;
    assert_int_equal(load_tally_of(&tally, "Server 1"), 3);
    assert_int_equal(load_tally_of(&tally, "Server 2"), 0);
    assert_int_equal(load_tally_of(&tally, "Server 3"), 0);
    load_tally_clear(&tally);
    assert_int_equal(load_tally_of(&tally, "Server 1"), 0);
    assert_int_equal(load_tally_find(&tally, VIEW("Server 1")), one);
    load_tally_finish(&tally);
}

static void what_is_no_name_is_not_counted(void **state)
{
    struct load_tally tally;

    (void)state;
    load_tally_init(&tally);
    assert_int_equal(load_tally_find(&tally, VIEW("")), LOAD_TALLY_NONE);
    assert_int_equal(load_tally_find(&tally, VIEW("a\0b")), LOAD_TALLY_NONE);
    assert_int_equal(tally.count, 0);
    load_tally_finish(&tally);
}

static void the_number_of_names_and_their_length_have_a_limit(void **state)
{
    struct load_tally tally;
    char text[200];

    (void)state;
    load_tally_init(&tally);
    for (unsigned i = 0; i < LOAD_TALLY_MAX; i++) {
        int size = snprintf(text, sizeof(text), "%u", i);

        assert_int_equal(load_tally_find(&tally, (struct view){text, (size_t)size}), i);
    }
    assert_int_equal(load_tally_find(&tally, VIEW("one more")), LOAD_TALLY_NONE);
    assert_int_equal(load_tally_find(&tally, VIEW("7")), 7);
    load_tally_finish(&tally);

    load_tally_init(&tally);
    memset(text, 'x', sizeof(text));
    assert_int_equal(load_tally_find(&tally, (struct view){text, sizeof(text)}), 0);
    assert_int_equal(strlen(tally.entries[0].name), LOAD_TALLY_NAME_BYTES - 1);
    load_tally_finish(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_counted_apart),
        cmocka_unit_test(what_is_no_name_is_not_counted),
        cmocka_unit_test(the_number_of_names_and_their_length_have_a_limit),
    };

    return cmocka_run_group_tests_name("load/load_tally", tests, NULL, NULL);
}
