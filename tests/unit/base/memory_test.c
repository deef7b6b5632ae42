#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"

static void allocated_memory_is_zeroed_and_counted(void **state)
{
    uint64_t before = memory_allocations();
    char *memory = memory_allocate(100);
    char zeros[100] = {0};

    (void)state;
    assert_memory_equal(memory, zeros, sizeof(zeros));
    assert_int_equal(memory_allocations(), before + 1);
    memory = memory_resize(memory, 200);
    assert_memory_equal(memory, zeros, sizeof(zeros));
    assert_int_equal(memory_allocations(), before + 2);
    free(memory);
}

static void no_bytes_are_memory_too(void **state)
{
    void *memory = memory_allocate(0);

    (void)state;
    assert_non_null(memory);
    memory = memory_resize(memory, 0);
    assert_non_null(memory);
    free(memory);
}

static void a_copied_text_is_another_one(void **state)
{
    char text[] = "abc";
    char *copy = memory_copy_text(text);

    (void)state;
    text[0] = 'x';
    assert_string_equal(copy, "abc");
    free(copy);
    assert_null(memory_copy_text(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocated_memory_is_zeroed_and_counted),
        cmocka_unit_test(no_bytes_are_memory_too),
        cmocka_unit_test(a_copied_text_is_another_one),
    };

    return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
