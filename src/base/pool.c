#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

struct waiting {
    struct waiting *next;
};

void pool_init(struct pool *pool, size_t object_bytes, size_t limit)
{
    assert(object_bytes >= sizeof(struct waiting));
    *pool = (struct pool){.object_bytes = object_bytes, .limit = limit};
}

void pool_finish(struct pool *pool)
{
    struct waiting *object = pool->free;

    assert(pool->out == 0);
    while (object) {
        struct waiting *next = object->next;

        free(object);
        object = next;
    }
    pool->free = NULL;
    pool->kept = 0;
}

void *pool_take(struct pool *pool)
{
    struct waiting *object = pool->free;

    if (pool->out == pool->limit)
        return NULL;
    pool->out++;
    if (!object)
        return memory_allocate(pool->object_bytes);
    pool->free = object->next;
    pool->kept--;
    return object;
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
}
