#include "base/arena.h"

#include <stdlib.h>

#include "base/memory.h"

struct arena_chunk {
    struct arena_chunk *previous;
    max_align_t bytes[];
};

void *arena_take(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = memory_allocate(sizeof(*chunk) + size);

    chunk->previous = arena->last;
    arena->last = chunk;
    return chunk->bytes;
}

char *arena_copy(struct arena *arena, struct view text)
{
    char *copy = arena_take(arena, text.size + 1);

    if (text.size)
        memcpy(copy, text.data, text.size);
    return copy;
}

void arena_finish(struct arena *arena)
{
    while (arena->last) {
        struct arena_chunk *chunk = arena->last;

        arena->last = chunk->previous;
        free(chunk);
    }
}
