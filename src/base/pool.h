/*
 * Objects of one size, used again and again: nothing is allocated in steady state. They lie in
 * slabs, each object in cache lines of its own. Where AddressSanitizer watches, an object that
 * waits, and what is behind one that is out, is poisoned.
 *
 * Owner: the struct it is embedded in. Objects that are out when it ends are a mistake of ours.
 */
#pragma once

#include <stddef.h>

/* Memory is taken in pieces of about so many bytes. */
#define POOL_SLAB_BYTES (64 * 1024)

struct pool {
    void *free;  /* chain of those that wait through the first word of each */
    void *slabs; /* chain through the first word of each */
    char *fresh; /* of the newest slab, what was never taken */
    size_t fresh_count;
    size_t object_bytes;
    size_t stride_bytes; /* from one object of a slab to the next */
    size_t out;          /* objects taken and not given back */
    size_t kept;         /* objects waiting */
    size_t limit;        /* most that may be out at once */
};

void pool_init(struct pool *pool, size_t object_bytes, size_t limit);

/* Frees the slabs. */
void pool_finish(struct pool *pool);

/* An object with undefined content at the beginning of a cache line, or NULL where the limit is
 * reached. */
void *pool_take(struct pool *pool);

/* NULL is harmless. */
void pool_give(struct pool *pool, void *object);
