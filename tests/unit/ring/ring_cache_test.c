#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "ring/ring_cache.h"

#define CAPACITY 7

static void the_least_recently_used_goes_first(void **state)
{
    struct ring_cache cache;

    (void)state;
    ring_cache_init(&cache, 2);
    assert_false(ring_cache_use(&cache, 1));
    assert_false(ring_cache_use(&cache, 2));
    assert_true(ring_cache_use(&cache, 1));
    assert_false(ring_cache_use(&cache, 3)); /* 2 goes */
    assert_true(ring_cache_use(&cache, 1));
    assert_false(ring_cache_use(&cache, 2)); /* 3 goes */
    assert_false(ring_cache_use(&cache, 3));
    ring_cache_finish(&cache);
}

/* Against a list that is searched from the front. */
static void it_hits_as_a_plain_list_does(void **state)
{
    struct ring_cache cache;
    uint64_t list[CAPACITY + 1];
    unsigned count = 0;

    (void)state;
    random_seed(20);
    ring_cache_init(&cache, CAPACITY);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t key = random_below(12) * 8; /* chains too */
        unsigned at = 0;

        while (at < count && list[at] != key)
            at++;
        assert_int_equal(ring_cache_use(&cache, key), at < count);
        if (at == count && count < CAPACITY)
            count++;
        if (at == CAPACITY)
            at--;
        memmove(list + 1, list, at * sizeof(*list));
        list[0] = key;
    }
    ring_cache_finish(&cache);
}

static void without_room_nothing_hits(void **state)
{
    struct ring_cache cache;

    (void)state;
    ring_cache_init(&cache, 0);
    assert_false(ring_cache_use(&cache, 1));
    assert_false(ring_cache_use(&cache, 1));
    ring_cache_finish(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(it_hits_as_a_plain_list_does),
        cmocka_unit_test(without_room_nothing_hits),
    };

    return cmocka_run_group_tests_name("ring/ring_cache", tests, NULL, NULL);
}
