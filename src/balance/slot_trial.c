#include "balance/slot_trial.h"

#include <stdlib.h>
#include <string.h>

#include "balance/slot_cost.h"
#include "balance/slot_list.h"
#include "balance/slot_price.h"
#include "balance/slot_settle.h"
#include "base/memory.h"

/*
 * Those who may own are numbered: those in the lists by their place, then the extras, whom no list
 * holds, or not with this weight. The last number is nobody's.
 */
struct trial {
    const struct slot_table *table;
    uint32_t *room;    /* by number; of those removed or of another weight none */
    uint16_t *indexes; /* by number */
    uint16_t *out;     /* by place, and of BALANCE_NONE: all ones for those that do not count */
    const struct balance_entry **extras;
    uint32_t extra_count;
    uint64_t weights;
};

/* The cheapest of some slots, whether it has room or not; nobody where two have one code. */
struct front {
    int16_t codes[SLOT_PRICE_MAX];
    uint16_t numbers[SLOT_PRICE_MAX];
};

static uint32_t nobody(const struct trial *trial)
{
    return trial->table->places + trial->extra_count;
}

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

    trial->out[BALANCE_NONE] = UINT16_MAX;
    for (uint32_t i = 0; i < table->places; i++) {
        const struct balance_entry *member = &table->members[i];
        unsigned index = member->weight ? roster_find(roster, member->low) : BALANCE_NONE;

        trial->out[i] = UINT16_MAX;
        if (index == BALANCE_NONE || roster->entries[index].weight != member->weight)
            continue;
        is_listed[index] = true;
        trial->out[i] = 0;
        trial->indexes[i] = (uint16_t)index;
        trial->room[i] = room_of(trial, roster, cap, member);
    }
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct balance_entry *entry = &roster->entries[i];
        uint32_t number = table->places + trial->extra_count;

        if (entry->weight == 0 || is_listed[i])
            continue;
        trial->extras[trial->extra_count++] = entry;
        trial->indexes[number] = (uint16_t)i;
        trial->room[number] = room_of(trial, roster, cap, entry);
    }
    free(is_listed);
}

/* Without a branch: who is cheaper nobody could guess. */
static inline uint16_t either(uint16_t mask, uint16_t yes, uint16_t no)
{
    return (uint16_t)((yes & mask) | (no & ~mask));
}

/* The cheapest in the lists from `start` on. Where the two cheapest are out it is nobody, and the
 * code says that none is below. */
static void list_front(const struct trial *trial, uint32_t start, uint32_t size,
                       struct front *front)
{
    const uint16_t *lists = trial->table->lists + (size_t)start * SLOT_KEPT;
    const int16_t *codes = trial->table->codes + (size_t)start * SLOT_KEPT;
    const uint16_t *out = trial->out;
    uint16_t none = (uint16_t)nobody(trial);

    for (size_t i = 0; i < size; i++) {
        const uint16_t *list = lists + i * SLOT_KEPT;
        uint16_t number = either(out[list[1]], none, list[1]);

        front->numbers[i] = either(out[list[0]], number, list[0]);
        front->codes[i] = codes[i * SLOT_KEPT + (out[list[0]] & 1)];
    }
}

/* An extra comes to the front where its code is below. */
static inline void compare(struct front *front, uint32_t at, int16_t code, uint16_t number,
                           uint16_t none)
{
    int16_t before = front->codes[at];
    uint16_t is_below = (uint16_t) - (code < before);
    uint16_t is_tied = (uint16_t) - (code == before);

    front->numbers[at] = either(is_below, number, either(is_tied, none, front->numbers[at]));
    front->codes[at] = code < before ? code : before;
}

static void ask_extra(const struct trial *trial, uint32_t start, uint32_t size, uint32_t number,
                      struct front *front)
{
    const struct balance_entry *entry = trial->extras[number - trial->table->places];
    uint16_t none = (uint16_t)nobody(trial);
    uint32_t slots[SLOT_PRICE_MAX];
    int16_t codes[SLOT_PRICE_MAX];
    unsigned count;

    if ((uint64_t)entry->weight * 2 > trial->weights) { /* in most: cheaper than asking where */
        count = slot_price_all(start, size, slots);
        slot_price_codes(trial->table, slots, count, entry, codes);
        for (uint32_t i = 0; i < size; i++)
            compare(front, i, codes[i], (uint16_t)number, none);
        return;
    }
    count = slot_price_sift(trial->table, start, size, entry, front->codes, 1, slots);
    slot_price_codes(trial->table, slots, count, entry, codes);
    for (unsigned i = 0; i < count; i++)
        compare(front, slots[i] - start, codes[i], (uint16_t)number, none);
}

static const struct balance_entry *entry_of(const struct trial *trial, uint32_t number)
{
    uint32_t places = trial->table->places;

    return number < places ? &trial->table->members[number] : trial->extras[number - places];
}

/* The cheapest that has room, in the list, else of all that have a place. */
static uint32_t find_listed(const struct trial *trial, uint32_t slot, int16_t *code)
{
    struct slot_list list = slot_list_take(trial->table, slot);
    uint64_t cost;
    unsigned place;

    for (unsigned rank = 0; rank < SLOT_KEPT; rank++) {
        place = (uint16_t)list.places[rank];
        *code = list.codes[rank];
        if (place == BALANCE_NONE)
            break;
        if (trial->room[place])
            return place;
    }
    place = slot_settle_find(trial->table, slot, trial->room, &cost);
    *code = place == BALANCE_NONE ? SLOT_CODE_NONE : slot_list_code(cost);
    return place == BALANCE_NONE ? nobody(trial) : place;
}

/* The cheapest that has room. There is one: the caps sum to the slots at least. */
static uint32_t find_owner(const struct trial *trial, uint32_t slot)
{
    uint64_t slot_hash = trial->table->hashes[slot];
    int16_t least;
    uint32_t owner = find_listed(trial, slot, &least);

    for (uint32_t i = 0; i < trial->extra_count; i++) {
        uint32_t number = trial->table->places + i;
        const struct balance_entry *entry = trial->extras[i];
        uint64_t h = slot_cost_pair(slot_hash, entry->low, entry->high);
        int16_t code;

        if (trial->room[number] == 0 ||
            !slot_cost_may_beat(h, slot_cost_bound(slot_list_most(least)), entry->weight))
            continue;
        code = slot_list_code(slot_cost(h, entry->inverse));
        if (code > least ||
            (code == least && !slot_list_is_before(slot_hash, entry, entry_of(trial, owner))))
            continue;
        least = code;
        owner = number;
    }
    return owner;
}

/* All slots in order: whoever is in front, but where that one is full. */
static void settle(struct trial *trial, uint64_t *words)
{
    uint32_t slots = trial->table->slots;
    uint32_t size = slots < SLOT_PRICE_MAX ? slots : SLOT_PRICE_MAX;
    uint32_t *room = trial->room;
    struct front front;

    for (uint32_t start = 0; start < slots; start += size) {
        list_front(trial, start, size, &front);
        for (uint32_t i = 0; i < trial->extra_count; i++)
            ask_extra(trial, start, size, trial->table->places + i, &front);
        for (uint32_t i = 0; i < size; i++) {
            uint32_t owner = front.numbers[i];

            if (UNLIKELY(room[owner] == 0))
                owner = find_owner(trial, start + i);
            room[owner]--;
            words[start + i] = trial->indexes[owner];
        }
    }
}

void slot_trial(const struct slot_table *table, const struct roster *roster, uint32_t cap,
                uint64_t *words)
{
    struct trial trial = {.table = table, .weights = roster->weights};
    size_t numbers = (size_t)table->places + roster->count + 1;

    if (roster->active == 0) {
        memset(words, 0xff, table->slots * sizeof(*words));
        return;
    }
    trial.room = memory_allocate(numbers * sizeof(*trial.room));
    trial.indexes = memory_allocate(numbers * sizeof(*trial.indexes));
    trial.out = memory_allocate((BALANCE_NONE + 1) * sizeof(*trial.out));
    trial.extras = memory_allocate(roster->count * sizeof(const void *));
    sort_members(&trial, roster, cap);
    settle(&trial, words);
    free(trial.room);
    free(trial.indexes);
    free(trial.out);
    free(trial.extras);
}
