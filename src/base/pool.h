/*
 * Objects of one size, used again and again: nothing is allocated in steady state.
 * Owner: the struct it is embedded in. Objects that are out when it ends are a mistake of ours.
 */
#pragma once

#include <stddef.h>

struct pool {
    void *free; /* chain through the first word of each */
    size_t object_bytes;
    size_t out;   /* objects taken and not given back */
    size_t kept;  /* objects waiting */
    size_t limit; /* most that may be out at once */
};

void pool_init(struct pool *pool, size_t object_bytes, size_t limit);

/* Frees what waits. */
void pool_finish(struct pool *pool);

/* An object with undefined content, or NULL where the limit is reached. */
void *pool_take(struct pool *pool);

/* NULL is harmless. */
void pool_give(struct pool *pool, void *object);
