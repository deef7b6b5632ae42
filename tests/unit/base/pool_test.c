#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_gives_at_most_its_limit),
        cmocka_unit_test(steady_use_allocates_nothing),
    };

    return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
