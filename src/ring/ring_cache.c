#include "ring/ring_cache.h"

#include <stdlib.h>

#include "base/memory.h"

/* Links are indexes + 1; 0 is none. */
struct ring_cache_entry {
    uint64_t key;
    uint32_t next;  /* in the chain of its place */
    uint32_t newer; /* in the order of use */
    uint32_t older;
};

void ring_cache_init(struct ring_cache *cache, uint32_t capacity)
{
    uint32_t places = 1;

    while (places < capacity)
        places *= 2;
    *cache = (struct ring_cache){.capacity = capacity, .mask = places - 1};
    cache->entries = memory_allocate(capacity * sizeof(*cache->entries));
    cache->places = memory_allocate(places * sizeof(*cache->places));
}

void ring_cache_finish(struct ring_cache *cache)
{
    free(cache->entries);
    free(cache->places);
    *cache = (struct ring_cache){0};
}

static struct ring_cache_entry *entry_at(struct ring_cache *cache, uint32_t link)
{
    return &cache->entries[link - 1];
}

static void take_out(struct ring_cache *cache, uint32_t link)
{
    struct ring_cache_entry *entry = entry_at(cache, link);

    if (entry->newer)
        entry_at(cache, entry->newer)->older = entry->older;
    else
        cache->newest = entry->older;
    if (entry->older)
        entry_at(cache, entry->older)->newer = entry->newer;
    else
        cache->oldest = entry->newer;
}

static void put_first(struct ring_cache *cache, uint32_t link)
{
    struct ring_cache_entry *entry = entry_at(cache, link);

    entry->newer = 0;
    entry->older = cache->newest;
    if (cache->newest)
        entry_at(cache, cache->newest)->newer = link;
    cache->newest = link;
    if (!cache->oldest)
        cache->oldest = link;
}

/* The oldest, out of its chain and the order. */
static uint32_t evict(struct ring_cache *cache)
{
    uint32_t link = cache->oldest;
    uint32_t *at = &cache->places[entry_at(cache, link)->key & cache->mask];

    while (*at != link)
        at = &entry_at(cache, *at)->next;
    *at = entry_at(cache, link)->next;
    take_out(cache, link);
    return link;
}

bool ring_cache_use(struct ring_cache *cache, uint64_t key)
{
    uint32_t *place = &cache->places[key & cache->mask];
    uint32_t link = *place;

    if (cache->capacity == 0)
        return false;
    while (link && entry_at(cache, link)->key != key)
        link = entry_at(cache, link)->next;
    if (link) {
        take_out(cache, link);
        put_first(cache, link);
        return true;
    }
    link = cache->count < cache->capacity ? ++cache->count : evict(cache);
    *entry_at(cache, link) = (struct ring_cache_entry){.key = key, .next = *place};
    *place = link;
    put_first(cache, link);
    return false;
}
