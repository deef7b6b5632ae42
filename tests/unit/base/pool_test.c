#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/pool.h"

static void a_pool_gives_at_most_its_limit(void **state)
{
    struct pool pool;
    void *objects[3];

    (void)state;
    pool_init(&pool, 32, 3);
    for (int i = 0; i < 3; i++) {
        objects[i] = pool_take(&pool);
        assert_non_null(objects[i]);
    }
    assert_null(pool_take(&pool));
    pool_give(&pool, objects[1]);
    assert_ptr_equal(pool_take(&pool), objects[1]);
    assert_null(pool_take(&pool));
    for (int i = 0; i < 3; i++)
        pool_give(&pool, objects[i]);
    assert_int_equal(pool.out, 0);
    assert_int_equal(pool.kept, 3);
    pool_finish(&pool);
    assert_int_equal(pool.kept, 0);
}

static void steady_use_allocates_nothing(void **state)
{
    struct pool pool;
    uint64_t before;

    (void)state;
    pool_init(&pool, sizeof(void *), 10);
    pool_give(&pool, pool_take(&pool));
    before = memory_allocations();
    for (int i = 0; i < 1000; i++)
        pool_give(&pool, pool_take(&pool));
    assert_int_equal(memory_allocations(), before);
    pool_give(&pool, NULL);
    assert_int_equal(pool.kept, 1);
    pool_finish(&pool);
}

static void every_object_has_lines_of_its_own(void **state)
{
    static const size_t sizes[] = {8, 64, 376, 512, 1536, POOL_SLAB_BYTES + 1};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        char *objects[200];
        struct pool pool;

        pool_init(&pool, sizes[i], 200);
        for (int k = 0; k < 200; k++) {
            objects[k] = pool_take(&pool);
            assert_int_equal((uintptr_t)objects[k] % MEMORY_LINE_BYTES, 0);
            memset(objects[k], k, sizes[i]);
        }
        for (int k = 0; k < 200; k++) {
            assert_int_equal(objects[k][0], (char)k);
            assert_int_equal(objects[k][sizes[i] - 1], (char)k);
            pool_give(&pool, objects[k]);
        }
        pool_finish(&pool);
    }
}

static void objects_spread_over_the_sets_of_a_cache(void **state)
{
    struct pool pool;
    bool has_begun[64] = {false}; /* a cache of 64 sets, as of 4 KiB a way */
    unsigned begun = 0;

    (void)state;
    pool_init(&pool, 4096, 15);
    for (int i = 0; i < 15; i++) {
        unsigned set = (unsigned)((uintptr_t)pool_take(&pool) / MEMORY_LINE_BYTES % 64);

        begun += !has_begun[set];
        has_begun[set] = true;
    }
    assert_int_equal(begun, 15);
    pool.out = 0; /* all of them: they go with their slab */
    pool_finish(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_gives_at_most_its_limit),
        cmocka_unit_test(steady_use_allocates_nothing),
        cmocka_unit_test(every_object_has_lines_of_its_own),
        cmocka_unit_test(objects_spread_over_the_sets_of_a_cache),
    };

    return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
