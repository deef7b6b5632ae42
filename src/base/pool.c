#include "base/pool.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/attribute.h"
#include "base/memory.h"

#if HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size)   ((void)(memory), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#endif

/* Objects so many lines apart would begin in an eighth of a cache's sets only. */
#define LINES_UNEVEN 8

struct waiting {
    struct waiting *next;
};

/* What a slab begins with, in a line of its own. */
struct slab {
    struct slab *next;
};

static size_t stride_of(size_t object_bytes)
{
    size_t lines = (object_bytes + MEMORY_LINE_BYTES - 1) / MEMORY_LINE_BYTES;

    return (lines % LINES_UNEVEN == 0 ? lines + 1 : lines) * MEMORY_LINE_BYTES;
}

void pool_init(struct pool *pool, size_t object_bytes, size_t limit)
{
    assert(object_bytes >= sizeof(struct waiting));
    *pool = (struct pool){
        .object_bytes = object_bytes, .stride_bytes = stride_of(object_bytes), .limit = limit};
}

void pool_finish(struct pool *pool)
{
    struct slab *slab = pool->slabs;

    assert(pool->out == 0);
    while (slab) {
        struct slab *next = slab->next;

        free(slab);
        slab = next;
    }
    *pool = (struct pool){0};
}

static void add_slab(struct pool *pool)
{
    size_t count = (POOL_SLAB_BYTES - MEMORY_LINE_BYTES) / pool->stride_bytes;
    struct slab *slab;

    if (count == 0)
        count = 1;
    slab = memory_allocate_lines(MEMORY_LINE_BYTES + count * pool->stride_bytes);
    slab->next = pool->slabs;
    pool->slabs = slab;
    pool->fresh = (char *)slab + MEMORY_LINE_BYTES;
    pool->fresh_count = count;
    ASAN_POISON_MEMORY_REGION(pool->fresh, count * pool->stride_bytes);
}

static void *take_fresh(struct pool *pool)
{
    void *object;

    if (pool->fresh_count == 0)
        add_slab(pool);
    object = pool->fresh;
    pool->fresh += pool->stride_bytes;
    pool->fresh_count--;
    ASAN_UNPOISON_MEMORY_REGION(object, pool->object_bytes);
    return object;
}

static void *take_waiting(struct pool *pool)
{
    struct waiting *object = pool->free;

    ASAN_UNPOISON_MEMORY_REGION(object, pool->object_bytes);
    pool->free = object->next;
    pool->kept--;
    return object;
}

void *pool_take(struct pool *pool)
{
    if (pool->out == pool->limit)
        return NULL;
    pool->out++;
    return pool->free ? take_waiting(pool) : take_fresh(pool);
}

void pool_give(struct pool *pool, void *object)
{
    struct waiting *waiting = object;

    if (!object)
        return;
    assert(pool->out > 0);
    waiting->next = pool->free;
    pool->free = waiting;
    pool->out--;
    pool->kept++;
    ASAN_POISON_MEMORY_REGION(object, pool->object_bytes);
}
