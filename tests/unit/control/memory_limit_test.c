#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "any_base.h"
#include "control/memory_limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Writes a file below the base and the folders it lies in. */
static void put(const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", any_base, name);
    for (char *at = strchr(path + strlen(any_base) + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static uint64_t limit(const char *groups)
{
    char path[128];

    put("groups", groups);
    snprintf(path, sizeof(path), "%s/groups", any_base);
    return memory_limit_of(path, any_base);
}

static void version_2_limits_by_the_group_and_all_above_it(void **state)
{
    (void)state;
    put("memory.max", "max\n");
    put("a/memory.max", "4096000\n");
    put("a/b/memory.max", "max\n");
    put("a/c/memory.max", "4096\n");
    assert_int_equal(limit("0::/a/b\n"), 4096000);
    assert_int_equal(limit("0::/a/c\n"), 4096);
    assert_true(limit("0::/\n") == UINT64_MAX);
}

static void in_a_container_the_root_is_the_group(void **state)
{
    (void)state;
    put("memory.max", "77777\n");
    assert_int_equal(limit("0::/\n"), 77777);
    assert_int_equal(limit("0::/of/the/machine\n"), 77777);
}

static void version_1_has_a_tree_of_its_own(void **state)
{
    (void)state;
    put("memory.max", "max\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/a/memory.limit_in_bytes", "134217728\n");
    assert_int_equal(limit("5:cpu,cpuacct:/x\n4:hugetlb,memory:/a\n0::/\n"), 134217728);
    assert_int_equal(limit("4:memory:/a/b\n"), 134217728);
    assert_int_equal(limit("4:memory:/\n"), INT64_C(9223372036854771712));
}

static void what_is_no_list_of_groups_limits_nothing(void **state)
{
    (void)state;
    put("memory.max", "5\n");
    assert_true(limit("") == UINT64_MAX);
    assert_true(limit("0\n0:\n:\n\n") == UINT64_MAX);
    assert_true(memory_limit_of("/does/not/exist", any_base) == UINT64_MAX);
}

static void the_machine_has_some(void **state)
{
    (void)state;
    assert_true(memory_limit_bytes() > 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(version_2_limits_by_the_group_and_all_above_it,
                                        any_base_make, any_base_remove),
        cmocka_unit_test_setup_teardown(in_a_container_the_root_is_the_group, any_base_make,
                                        any_base_remove),
        cmocka_unit_test_setup_teardown(version_1_has_a_tree_of_its_own, any_base_make,
                                        any_base_remove),
        cmocka_unit_test_setup_teardown(what_is_no_list_of_groups_limits_nothing, any_base_make,
                                        any_base_remove),
        cmocka_unit_test(the_machine_has_some),
    };

    return cmocka_run_group_tests_name("control/memory_limit", tests, NULL, NULL);
}
