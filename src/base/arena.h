/*
 * Memory that ends all at once: what belongs to one configuration or one document.
 * Owner: the struct it is embedded in; all zeroes is an empty one. What is put in here is bounded
 * by whoever fills it.
 */
#pragma once

#include <stddef.h>

#include "base/view.h"

struct arena {
    struct arena_chunk *last;
};

/* `size` zeroed bytes, aligned for anything. Valid until arena_finish(). */
void *arena_take(struct arena *arena, size_t size);

/* A zero-ended copy of `text`. */
char *arena_copy(struct arena *arena, struct view text);

/* Frees everything; it is empty then. */
void arena_finish(struct arena *arena);
