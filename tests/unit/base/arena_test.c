#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void memory_is_zeroed_and_aligned(void **state)
{
    struct arena arena = {0};

    (void)state;
    for (size_t size = 0; size < 100; size++) {
        unsigned char *bytes = arena_take(&arena, size);

        assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xff, size);
    }
    arena_finish(&arena);
    assert_null(arena.last);
}

static void copies_end_with_a_zero(void **state)
{
    struct arena arena = {0};

    (void)state;
    assert_string_equal(arena_copy(&arena, view_first(VIEW("number"), 3)), "num");
    assert_string_equal(arena_copy(&arena, (struct view){NULL, 0}), "");
    arena_finish(&arena);
    arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(copies_end_with_a_zero),
    };

    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
