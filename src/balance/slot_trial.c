#include "balance/slot_trial.h"

#include <stdlib.h>
#include <string.h>

#include "balance/slot_cost.h"
#include "balance/slot_list.h"
#include "balance/slot_settle.h"
#include "base/memory.h"

/* One that no list holds, or not with this weight. */
struct extra {
    const struct balance_entry *entry;
    uint32_t room;
    uint16_t index;
};

struct trial {
    const struct slot_table *table;
    uint32_t *room;    /* by place; of those removed or of another weight none */
    uint16_t *indexes; /* by place */
    struct extra *extras;
    uint32_t extra_count;
};

/* Who would own a slot: an extra, else a place. */
struct owner {
    int32_t code;
    struct extra *extra;
    unsigned place;
};

static uint32_t room_of(const struct trial *trial, const struct roster *roster, uint32_t cap,
                        const struct balance_entry *entry)
{
    return cap == BALANCE_CAP_OFF
               ? trial->table->slots
               : slot_settle_cap(trial->table->slots, cap, entry, roster->weights);
}

static void sort_members(struct trial *trial, const struct roster *roster, uint32_t cap)
{
    const struct slot_table *table = trial->table;
    bool *is_listed = memory_allocate(roster->count + 1);

    for (uint32_t i = 0; i < table->places; i++) {
        const struct balance_entry *member = &table->members[i];
        unsigned index = member->weight ? roster_find(roster, member->low) : BALANCE_NONE;

        if (index == BALANCE_NONE || roster->entries[index].weight != member->weight)
            continue;
        is_listed[index] = true;
        trial->indexes[i] = (uint16_t)index;
        trial->room[i] = room_of(trial, roster, cap, member);
    }
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct balance_entry *entry = &roster->entries[i];

        if (entry->weight && !is_listed[i])
            trial->extras[trial->extra_count++] =
                (struct extra){entry, room_of(trial, roster, cap, entry), (uint16_t)i};
    }
    free(is_listed);
}

/* The cheapest of the slot's list that has room, else of all that had a place. */
static inline struct owner find_listed(const struct trial *trial, uint32_t slot)
{
    const uint16_t *list = trial->table->lists + (size_t)slot * SLOT_KEPT;
    const int32_t *codes = trial->table->codes + (size_t)slot * SLOT_KEPT;
    uint64_t cost;
    unsigned place;

    for (unsigned rank = 0; rank < SLOT_KEPT && list[rank] != BALANCE_NONE; rank++) {
        if (LIKELY(trial->room[list[rank]] != 0))
            return (struct owner){.code = codes[rank], .place = list[rank]};
    }
    place = slot_settle_find(trial->table, slot, trial->room, &cost);
    return (struct owner){.code = place == BALANCE_NONE ? SLOT_CODE_NONE : slot_list_code(cost),
                          .place = place};
}

static const struct balance_entry *entry_of(const struct trial *trial, const struct owner *owner)
{
    return owner->extra ? owner->extra->entry : &trial->table->members[owner->place];
}

/* Two with one code: their costs decide, then their names' hashes. */
static bool is_before(uint64_t slot_hash, const struct balance_entry *a,
                      const struct balance_entry *b)
{
    uint64_t cost = slot_cost(slot_cost_pair(slot_hash, a->low, a->high), a->inverse);
    uint64_t other = slot_cost(slot_cost_pair(slot_hash, b->low, b->high), b->inverse);

    return cost < other || (cost == other && a->low < b->low);
}

static inline void ask_extra(const struct trial *trial, uint32_t slot, struct extra *extra,
                             struct owner *owner)
{
    const struct balance_entry *entry = extra->entry;
    uint64_t slot_hash = trial->table->hashes[slot];
    uint64_t h = slot_cost_pair(slot_hash, entry->low, entry->high);
    int32_t code;

    if (!slot_cost_may_beat(h, slot_cost_bound(slot_list_most(owner->code)), entry->weight) ||
        extra->room == 0)
        return;
    code = slot_list_code(slot_cost(h, entry->inverse));
    if (code < owner->code ||
        (code == owner->code && is_before(slot_hash, entry, entry_of(trial, owner))))
        *owner = (struct owner){.code = code, .extra = extra};
}

static void settle(struct trial *trial, uint64_t *words)
{
    for (uint32_t slot = 0; slot < trial->table->slots; slot++) {
        struct owner owner = find_listed(trial, slot);

        for (uint32_t i = 0; i < trial->extra_count; i++)
            ask_extra(trial, slot, &trial->extras[i], &owner);
        if (owner.extra) {
            owner.extra->room--;
            words[slot] = owner.extra->index;
        } else {
            trial->room[owner.place]--;
            words[slot] = trial->indexes[owner.place];
        }
    }
}

void slot_trial(const struct slot_table *table, const struct roster *roster, uint32_t cap,
                uint64_t *words)
{
    struct trial trial = {.table = table};

    if (roster->active == 0) {
        memset(words, 0xff, table->slots * sizeof(*words));
        return;
    }
    trial.room = memory_allocate((table->places + 1) * sizeof(*trial.room));
    trial.indexes = memory_allocate((table->places + 1) * sizeof(*trial.indexes));
    trial.extras = memory_allocate(roster->count * sizeof(*trial.extras));
    sort_members(&trial, roster, cap);
    settle(&trial, words);
    free(trial.room);
    free(trial.indexes);
    free(trial.extras);
}
