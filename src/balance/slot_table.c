#include "balance/slot_table.h"

#include <stdlib.h>
#include <string.h>

#include "balance/digest.h"
#include "balance/slot_rank.h"
#include "base/memory.h"

/* More changes than this are cheaper done anew. */
#define CHANGES_MAX(active) ((active) / 8 + 2)

/* A slot as it was before a trial changed it. */
struct slot_note {
    uint64_t ranks;
    uint64_t last;
    uint32_t slot;
};

/* Everything a trial may change. */
struct slot_undo {
    struct slot_table before; /* its scalars; `members` is a copy of the places */
    uint16_t *indexes;        /* of the places */
    size_t count;             /* of the table's notes */
};

struct slot_table *slot_table_create(unsigned bits, const uint8_t secret[BALANCE_SECRET_BYTES])
{
    struct slot_table *table = memory_allocate(sizeof(*table));

    table->bits = bits;
    table->slots = UINT32_C(1) << bits;
    table->hashes = memory_allocate(table->slots * sizeof(*table->hashes));
    table->ranks = memory_allocate(table->slots * sizeof(*table->ranks));
    table->lasts = memory_allocate(table->slots * sizeof(*table->lasts));
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
    free(table->ranks);
    free(table->lasts);
    free(table->members);
    free(table->indexes);
    free(table->sifted);
    free(table->sifted_pairs);
    free(table->notes);
    free(table);
}

static void reserve_places(struct slot_table *table, uint32_t places)
{
    uint32_t capacity = places * 2;

    if (places <= table->capacity)
        return;
    table->members = memory_resize(table->members, capacity * sizeof(*table->members));
    table->sifted = memory_resize(table->sifted, capacity * sizeof(*table->sifted));
    table->sifted_pairs =
        memory_resize(table->sifted_pairs, capacity * sizeof(*table->sifted_pairs));
    table->capacity = capacity;
}

static int compare_entries(const void *a, const void *b)
{
    uint64_t left = ((const struct balance_entry *)a)->low;
    uint64_t right = ((const struct balance_entry *)b)->low;

    return left < right ? -1 : left > right;
}

/* Everything anew: the members with a weight, in the order slot_rank_all() wants. */
static void set_all(struct slot_table *table, const struct roster *roster)
{
    reserve_places(table, roster->active);
    table->active = roster->active;
    table->weights = roster->weights;
    table->places = 0;
    for (uint32_t i = 0; i < roster->count; i++) {
        if (roster->entries[i].weight)
            table->members[table->places++] = roster->entries[i];
    }
    if (table->places)
        qsort(table->members, table->places, sizeof(*table->members), compare_entries);
    for (uint32_t i = 0; i < table->places; i++)
        table->indexes[i] = (uint16_t)roster_find(roster, table->members[i].low);
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
    return table->active && difference.removed + difference.other <= CHANGES_MAX(table->active);
}

/* Whether one weight is all there is, before the changes and after. */
static bool is_even(const struct slot_table *table, const struct roster *roster)
{
    uint32_t weight = 0;
    bool is_even = true;

    for (uint32_t i = 0; i < table->places + roster->count; i++) {
        uint32_t other = i < table->places ? table->members[i].weight
                                           : roster->entries[i - table->places].weight;

        is_even = is_even && (other == 0 || weight == 0 || other == weight);
        weight = other ? other : weight;
    }
    return is_even;
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
    if (before != member->weight)
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

    table->is_even = is_even(table, roster);
    if (slot_table_is_few(table, difference))
        set_changes(table, roster, index_of, place_of);
    else
        set_all(table, roster);
    table->indexes[BALANCE_NONE] = BALANCE_NONE;
    free(index_of);
    free(place_of);
}

void slot_table_begin_trial(struct slot_table *table)
{
    struct slot_undo *undo = memory_allocate(sizeof(*undo));
    size_t members = table->places * sizeof(*table->members);
    size_t indexes = table->places * sizeof(*table->indexes);

    undo->before = *table;
    undo->before.members = memory_allocate(members);
    undo->indexes = memory_allocate(indexes);
    if (table->places) {
        memcpy(undo->before.members, table->members, members);
        memcpy(undo->indexes, table->indexes, indexes);
    }
    table->undo = undo;
}

void slot_table_note(struct slot_table *table, uint32_t slot)
{
    struct slot_undo *undo = table->undo;

    if (undo->count == table->notes_capacity) {
        table->notes_capacity = table->notes_capacity ? table->notes_capacity * 2 : 1024;
        table->notes = memory_resize(table->notes, table->notes_capacity * sizeof(*table->notes));
    }
    table->notes[undo->count++] = (struct slot_note){table->ranks[slot], table->lasts[slot], slot};
}

void slot_table_end_trial(struct slot_table *table)
{
    struct slot_undo *undo = table->undo;

    /* Backwards: of a slot noted twice the first note is right. */
    for (size_t i = undo->count; i > 0; i--) {
        table->ranks[table->notes[i - 1].slot] = table->notes[i - 1].ranks;
        table->lasts[table->notes[i - 1].slot] = table->notes[i - 1].last;
    }
    table->places = undo->before.places;
    table->active = undo->before.active;
    table->weights = undo->before.weights;
    table->is_even = undo->before.is_even;
    if (table->places) {
        memcpy(table->members, undo->before.members, table->places * sizeof(*table->members));
        memcpy(table->indexes, undo->indexes, table->places * sizeof(*table->indexes));
    }
    free(undo->before.members);
    free(undo->indexes);
    free(undo);
    table->undo = NULL;
}
