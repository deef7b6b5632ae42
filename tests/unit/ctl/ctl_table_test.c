#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/ctl_table.h"

#include <stdlib.h>
#include <string.h>

static const char *const columns[] = {"NAME", ">COUNT", "REASON", NULL};

/* What is printed, the caller's to free(). */
static char *printed(const struct ctl_table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ctl_table_print(table, out);
    fclose(out);
    return text;
}

static void columns_are_as_wide_as_their_widest_text_and_numbers_stand_right(void **state)
{
    struct ctl_table table;
    char *text;

    (void)state;
    ctl_table_init(&table, columns);
    ctl_table_add(&table, "a");
    ctl_table_add(&table, "%d", 1234567);
    ctl_table_add(&table, "because");
    ctl_table_add(&table, "a longer name");
    ctl_table_add(&table, "7");
    ctl_table_add(&table, "-");
    text = printed(&table);
    assert_string_equal("NAME             COUNT  REASON\n"
                        "a              1234567  because\n"
                        "a longer name        7  -\n",
                        text);
    free(text);
    ctl_table_finish(&table);
}

static void a_table_without_rows_is_its_titles(void **state)
{
    struct ctl_table table;
    char *text;

    (void)state;
    ctl_table_init(&table, columns);
    text = printed(&table);
    assert_string_equal("NAME  COUNT  REASON\n", text);
    free(text);
    ctl_table_finish(&table);
}

static void json_values_are_written_as_people_read_them(void **state)
{
    static const char *const one[] = {"X", NULL};
    struct ctl_table table;
    char *text;
    json_t *list = json_pack("[i, f, s, s, n, b]", 5, 1.25, "word", "", 1);
    json_t *value;
    size_t i;

    (void)state;
    ctl_table_init(&table, one);
    json_array_foreach(list, i, value) ctl_table_add_json(&table, value);
    ctl_table_add_json(&table, NULL);
    text = printed(&table);
    assert_string_equal("X\n5\n1.250\nword\n-\n-\n-\n-\n", text);
    free(text);
    json_decref(list);
    ctl_table_finish(&table);
}

static void a_cell_that_is_too_long_is_cut(void **state)
{
    static const char *const one[] = {"X", NULL};
    struct ctl_table table;
    char large[2000];
    char *text;

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    ctl_table_init(&table, one);
    ctl_table_add(&table, "%s", large);
    text = printed(&table);
    assert_true(strlen(text) < 600);
    free(text);
    ctl_table_finish(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_text_and_numbers_stand_right),
        cmocka_unit_test(a_table_without_rows_is_its_titles),
        cmocka_unit_test(json_values_are_written_as_people_read_them),
        cmocka_unit_test(a_cell_that_is_too_long_is_cut),
    };

    return cmocka_run_group_tests_name("ctl/ctl_table", tests, NULL, NULL);
}
