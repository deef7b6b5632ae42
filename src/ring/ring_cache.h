/*
 * A cache that is only counted: which of the last keys it would still have, the least recently
 * used gone first. Keys are 64-bit hashes.
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Entries of all caches together: some 1.5 GiB. */
#define RING_CACHES_MAX 50000000

struct ring_cache_entry;

struct ring_cache {
    struct ring_cache_entry *entries;
    uint32_t *places; /* open hash table: index + 1 of the first entry of a chain */
    uint32_t mask;
    uint32_t capacity;
    uint32_t count;
    uint32_t newest; /* index + 1, 0: none */
    uint32_t oldest;
};

void ring_cache_init(struct ring_cache *cache, uint32_t capacity);

/* Frees the memory; harmless on one of zeros. */
void ring_cache_finish(struct ring_cache *cache);

/* Whether it has the key; now it has. */
bool ring_cache_use(struct ring_cache *cache, uint64_t key);
