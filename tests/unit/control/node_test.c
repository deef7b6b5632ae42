/* Whose containers they are. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/node.h"

static struct folder folder;
static char file[FOLDER_PATH_BYTES + 8];

static int begin(void **state)
{
    (void)state;
    folder = (struct folder){.run_fd = -1, .lock_fd = -1};
    snprintf(folder.state, sizeof(folder.state), "/tmp/roost-node-XXXXXX");
    assert_non_null(mkdtemp(folder.state));
    snprintf(file, sizeof(file), "%s/node", folder.state);
    unsetenv("ROOST_NODE");
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(file);
    rmdir(folder.state);
    unsetenv("ROOST_NODE");
    return 0;
}

static void write_file(const char *text)
{
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void a_folder_keeps_the_name_it_was_given_first(void **state)
{
    char one[NODE_NAME_BYTES];
    char two[NODE_NAME_BYTES];

    (void)state;
    assert_int_equal(0, node_name(&folder, one, NULL));
    assert_int_equal(16, strspn(one, "0123456789abcdef"));
    assert_int_equal(0, node_name(&folder, two, NULL));
    assert_string_equal(one, two);
}

static void the_environment_wins_and_is_not_remembered(void **state)
{
    char name[NODE_NAME_BYTES];

    (void)state;
    setenv("ROOST_NODE", "compose", 1);
    assert_int_equal(0, node_name(&folder, name, NULL));
    assert_string_equal("compose", name);
    assert_int_equal(-1, access(file, F_OK));
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {"a b", "-a", "a/b", "a=b",
                                      "0123456789012345678901234567890123456789"};
    char name[NODE_NAME_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error why = {""};

        setenv("ROOST_NODE", bad[i], 1);
        assert_int_equal(-EINVAL, node_name(&folder, name, &why));
        assert_non_null(strstr(why.text, "ROOST_NODE"));
    }
}

static void a_file_that_holds_no_name_is_written_anew(void **state)
{
    static const char *const bad[] = {"", "\n", "a b\n", "../x\n"};
    char name[NODE_NAME_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file(bad[i]);
        assert_int_equal(0, node_name(&folder, name, NULL));
        assert_int_equal(16, strspn(name, "0123456789abcdef"));
    }
}

static void a_folder_that_cannot_be_written_is_said(void **state)
{
    struct folder missing = folder;
    char name[NODE_NAME_BYTES];
    struct error why = {""};

    (void)state;
    snprintf(missing.state, sizeof(missing.state), "/tmp/roost-there-is-none");
    assert_int_equal(-ENOENT, node_name(&missing, name, &why));
    assert_non_null(strstr(why.text, "/node"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_keeps_the_name_it_was_given_first, begin, end),
        cmocka_unit_test_setup_teardown(the_environment_wins_and_is_not_remembered, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_name_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_holds_no_name_is_written_anew, begin, end),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written_is_said, begin, end),
    };

    return cmocka_run_group_tests_name("control/node", tests, NULL, NULL);
}
