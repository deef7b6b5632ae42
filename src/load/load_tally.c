#include "load/load_tally.h"

#include <stdlib.h>

#include "base/memory.h"

#define PLACES (4 * LOAD_TALLY_MAX) /* a power of two */

void load_tally_init(struct load_tally *tally)
{
    *tally = (struct load_tally){
        .entries = memory_allocate(LOAD_TALLY_MAX * sizeof(*tally->entries)),
        .places = memory_allocate(PLACES * sizeof(*tally->places)),
    };
}

void load_tally_finish(struct load_tally *tally)
{
    free(tally->entries);
    free(tally->places);
    *tally = (struct load_tally){0};
}

/* FNV-1a, 32 bits. */
static uint32_t hash_of(struct view name)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ (uint8_t)name.data[i]) * 16777619u;
    return hash;
}

/* Where the name is or would go; there is always an empty place. */
static uint16_t *place_of(const struct load_tally *tally, struct view name)
{
    for (uint32_t at = hash_of(name);; at++) {
        uint16_t *place = &tally->places[at & (PLACES - 1)];

        if (*place == 0 || view_equals(view_of(tally->entries[*place - 1].name), name))
            return place;
    }
}

uint16_t load_tally_find(struct load_tally *tally, struct view name)
{
    struct view kept = view_first(name, LOAD_TALLY_NAME_BYTES - 1);
    uint16_t *place;

    if (!kept.size || memchr(kept.data, '\0', kept.size))
        return LOAD_TALLY_NONE;
    place = place_of(tally, kept);
    if (*place)
        return (uint16_t)(*place - 1);
    if (tally->count == LOAD_TALLY_MAX)
        return LOAD_TALLY_NONE;
    memcpy(tally->entries[tally->count].name, kept.data, kept.size);
    *place = (uint16_t)(++tally->count);
    return (uint16_t)(tally->count - 1);
}

uint64_t load_tally_of(const struct load_tally *tally, const char *name)
{
    uint16_t place = *place_of(tally, view_first(view_of(name), LOAD_TALLY_NAME_BYTES - 1));

    return place ? tally->entries[place - 1].count : 0;
}

void load_tally_clear(struct load_tally *tally)
{
    for (unsigned i = 0; i < tally->count; i++)
        tally->entries[i].count = 0;
}
