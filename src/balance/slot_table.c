#include "balance/slot_table.h"

#include <stdlib.h>
#include <string.h>

#include "balance/digest.h"
#include "balance/slot_fill.h"
#include "balance/slot_rank.h"
#include "base/memory.h"

/* More changes than this are cheaper done anew. */
#define CHANGES_MAX(active) ((active) / 8 + 2)

struct slot_table *slot_table_create(unsigned bits, unsigned kept,
                                     const uint8_t secret[BALANCE_SECRET_BYTES])
{
    struct slot_table *table = memory_allocate(sizeof(*table));

    table->bits = bits;
    table->slots = UINT32_C(1) << bits;
    table->kept = kept;
    table->hashes = memory_allocate(table->slots * sizeof(*table->hashes));
    table->lists = memory_allocate(table->slots * SLOT_KEPT * sizeof(*table->lists));
    if (kept == SLOT_KEPT)
        table->codes = memory_allocate(table->slots * SLOT_KEPT * sizeof(*table->codes));
    table->indexes = memory_allocate((BALANCE_NONE + 1) * sizeof(*table->indexes));
    for (uint32_t slot = 0; slot < table->slots; slot++)
        table->hashes[slot] = digest_slot(secret, slot);
    return table;
}

void slot_table_destroy(struct slot_table *table)
{
    if (!table)
        return;
    free(table->hashes);
    free(table->lists);
    free(table->codes);
    free(table->members);
    free(table->indexes);
    free(table->rivals);
    free(table->sifted);
    free(table);
}

static void reserve_places(struct slot_table *table, uint32_t places)
{
    uint32_t capacity = places * 2;

    if (places <= table->capacity)
        return;
    table->members = memory_resize(table->members, capacity * sizeof(*table->members));
    slot_fill_reserve(table, capacity);
    table->capacity = capacity;
}

/* Everything anew: the members with a weight, without a gap. */
static void set_all(struct slot_table *table, const struct roster *roster)
{
    reserve_places(table, roster->active);
    table->active = roster->active;
    table->weights = roster->weights;
    table->places = 0;
    for (uint32_t i = 0; i < roster->count; i++) {
        if (roster->entries[i].weight == 0)
            continue;
        table->indexes[table->places] = (uint16_t)i;
        table->members[table->places++] = roster->entries[i];
    }
    slot_fill_prepare(table);
    slot_rank_all(table);
}

/* Where the members are in `roster`, and back. */
static struct slot_difference match_places(const struct slot_table *table,
                                           const struct roster *roster, uint16_t *index_of,
                                           uint16_t *place_of)
{
    struct slot_difference difference = {0};

    memset(place_of, 0xff, roster->count * sizeof(*place_of));
    for (uint32_t place = 0; place < table->places; place++) {
        const struct balance_entry *member = &table->members[place];
        unsigned index = member->weight ? roster_find(roster, member->low) : BALANCE_NONE;

        if (index != BALANCE_NONE && roster->entries[index].weight == 0)
            index = BALANCE_NONE;
        index_of[place] = (uint16_t)index;
        if (index != BALANCE_NONE)
            place_of[index] = (uint16_t)place;
        if (member->weight && index == BALANCE_NONE)
            difference.removed++;
        else if (member->weight)
            difference.other += roster->entries[index].weight != member->weight;
    }
    for (uint32_t i = 0; i < roster->count; i++)
        difference.other += place_of[i] == BALANCE_NONE && roster->entries[i].weight != 0;
    return difference;
}

struct slot_difference slot_table_compare(const struct slot_table *table,
                                          const struct roster *roster)
{
    uint16_t *index_of = memory_allocate((table->places + 1) * sizeof(*index_of));
    uint16_t *place_of = memory_allocate((roster->count + 1) * sizeof(*place_of));
    struct slot_difference difference = match_places(table, roster, index_of, place_of);

    free(index_of);
    free(place_of);
    return difference;
}

bool slot_table_is_few(const struct slot_table *table, struct slot_difference difference)
{
    return table->kept == SLOT_KEPT && table->likely &&
           difference.removed + difference.other <= CHANGES_MAX(table->active);
}

static void set_weight(struct slot_table *table, uint16_t place, const struct balance_entry *entry)
{
    struct balance_entry *member = &table->members[place];
    uint32_t before = member->weight;

    if (!entry)
        *member = (struct balance_entry){0};
    else
        *member = *entry;
    table->active += (member->weight != 0) - (before != 0);
    table->weights += (uint64_t)member->weight - before;
    if (before == member->weight)
        return;
    slot_fill_prepare(table);
    slot_rank_change(table, place, before);
}

static uint16_t take_place(struct slot_table *table, uint32_t *from)
{
    while (*from < table->places && table->members[*from].weight)
        (*from)++;
    if (*from == table->places) {
        reserve_places(table, table->places + 1);
        table->members[table->places++] = (struct balance_entry){0};
    }
    return (uint16_t)*from;
}

/* One change after the other, each leaving the table whole. */
static void set_changes(struct slot_table *table, const struct roster *roster,
                        const uint16_t *index_of, const uint16_t *place_of)
{
    uint32_t places = table->places;
    uint32_t from = 0;

    for (uint32_t place = 0; place < places; place++) {
        unsigned index = index_of[place];

        if (table->members[place].weight)
            set_weight(table, (uint16_t)place,
                       index == BALANCE_NONE ? NULL : &roster->entries[index]);
        table->indexes[place] = (uint16_t)index;
    }
    for (uint32_t i = 0; i < roster->count; i++) {
        uint16_t place;

        if (place_of[i] != BALANCE_NONE || roster->entries[i].weight == 0)
            continue;
        place = take_place(table, &from);
        set_weight(table, place, &roster->entries[i]);
        table->indexes[place] = (uint16_t)i;
    }
}

void slot_table_set(struct slot_table *table, const struct roster *roster)
{
    uint16_t *index_of = memory_allocate((table->places + 1) * sizeof(*index_of));
    uint16_t *place_of = memory_allocate((roster->count + 1) * sizeof(*place_of));
    struct slot_difference difference = match_places(table, roster, index_of, place_of);

    if (slot_table_is_few(table, difference))
        set_changes(table, roster, index_of, place_of);
    else
        set_all(table, roster);
    table->indexes[BALANCE_NONE] = BALANCE_NONE;
    free(index_of);
    free(place_of);
}
