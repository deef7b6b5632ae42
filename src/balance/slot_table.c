#include "balance/slot_table.h"

#include <stdlib.h>
#include <string.h>

#include "balance/digest.h"
#include "balance/slot_cost.h"
#include "base/memory.h"

#define RANKS         BALANCE_RANKS
#define LANES         UINT64_C(0x0001000100010001)
#define NO_RANKS      UINT64_MAX
#define CHUNK_SLOTS   1024          /* candidates are gathered this many slots at a time */
#define FULL_ABOVE(n) ((n) / 4 + 1) /* more changes than this are cheaper done anew */

/* The ids are places in `members`, stable as long as a member is there. */
struct slot_table {
    unsigned bits;
    uint32_t slots;
    uint64_t *hashes;              /* by slot: its hash */
    uint64_t *ranks;               /* by slot: four ids, cheapest first */
    uint64_t *bounds;              /* by slot: slot_cost_bound() of the fourth */
    uint64_t (*costs)[RANKS];      /* by slot */
    struct balance_entry *members; /* weight 0: a free place */
    uint32_t places;               /* places that were ever used */
    uint32_t capacity;
    uint32_t active;
    uint64_t weights;
    uint16_t *indexes; /* by id: the index in the last roster */
};

/* The best of a slot while it is being found. */
struct best {
    uint64_t cost[RANKS];
    uint64_t low[RANKS];
    uint16_t id[RANKS];
};

struct slot_table *slot_table_create(unsigned bits, const uint8_t secret[BALANCE_SECRET_BYTES])
{
    struct slot_table *table = memory_allocate(sizeof(*table));

    table->bits = bits;
    table->slots = UINT32_C(1) << bits;
    table->hashes = memory_allocate(table->slots * sizeof(*table->hashes));
    table->ranks = memory_allocate(table->slots * sizeof(*table->ranks));
    table->bounds = memory_allocate(table->slots * sizeof(*table->bounds));
    table->costs = memory_allocate(table->slots * sizeof(*table->costs));
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
    free(table->bounds);
    free(table->costs);
    free(table->members);
    free(table->indexes);
    free(table);
}

static void best_clear(struct best *best)
{
    for (unsigned i = 0; i < RANKS; i++) {
        best->cost[i] = SLOT_COST_NONE;
        best->low[i] = UINT64_MAX;
        best->id[i] = BALANCE_NONE;
    }
}

static inline bool is_cheaper(uint64_t cost, uint64_t low, uint64_t than_cost, uint64_t than_low)
{
    return cost < than_cost || (cost == than_cost && low < than_low);
}

static inline void best_insert(struct best *best, uint64_t cost, uint64_t low, uint16_t id)
{
    unsigned at = RANKS;

    while (at > 0 && is_cheaper(cost, low, best->cost[at - 1], best->low[at - 1]))
        at--;
    if (at == RANKS)
        return;
    for (unsigned i = RANKS - 1; i > at; i--) {
        best->cost[i] = best->cost[i - 1];
        best->low[i] = best->low[i - 1];
        best->id[i] = best->id[i - 1];
    }
    best->cost[at] = cost;
    best->low[at] = low;
    best->id[at] = id;
}

static void best_remove(struct best *best, uint16_t id)
{
    unsigned at = 0;

    while (best->id[at] != id)
        at++;
    for (; at < RANKS - 1; at++) {
        best->cost[at] = best->cost[at + 1];
        best->low[at] = best->low[at + 1];
        best->id[at] = best->id[at + 1];
    }
    best->cost[RANKS - 1] = SLOT_COST_NONE;
    best->low[RANKS - 1] = UINT64_MAX;
    best->id[RANKS - 1] = BALANCE_NONE;
}

static void best_load(const struct slot_table *table, uint32_t slot, struct best *best)
{
    for (unsigned i = 0; i < RANKS; i++) {
        best->id[i] = (uint16_t)(table->ranks[slot] >> (16 * i));
        best->cost[i] = table->costs[slot][i];
        best->low[i] = best->id[i] == BALANCE_NONE ? UINT64_MAX : table->members[best->id[i]].low;
    }
}

static void best_store(struct slot_table *table, uint32_t slot, const struct best *best)
{
    uint64_t word = 0;

    for (unsigned i = 0; i < RANKS; i++) {
        word |= (uint64_t)best->id[i] << (16 * i);
        table->costs[slot][i] = best->cost[i];
    }
    table->ranks[slot] = word;
    table->bounds[slot] = slot_cost_bound(best->cost[RANKS - 1]);
}

static bool best_has(const struct best *best, uint16_t id)
{
    bool has = false;

    for (unsigned i = 0; i < RANKS; i++)
        has |= best->id[i] == id;
    return has;
}

/* Adds to `best` whatever is cheaper among all members; `best` may hold some of them already. */
static void find_best(const struct slot_table *table, uint32_t slot, struct best *best)
{
    uint64_t hash = table->hashes[slot];
    uint64_t bound = slot_cost_bound(best->cost[RANKS - 1]);

    for (uint32_t i = 0; i < table->places; i++) {
        const struct balance_entry *member = &table->members[i];
        uint64_t h = slot_cost_pair(hash, member->low, member->high);

        if (LIKELY(!slot_cost_may_beat(h, bound, member->weight)))
            continue;
        if (member->weight == 0 || best_has(best, (uint16_t)i))
            continue;
        best_insert(best, slot_cost(h, member->inverse), member->low, (uint16_t)i);
        bound = slot_cost_bound(best->cost[RANKS - 1]);
    }
}

static void build_all(struct slot_table *table)
{
    struct best best;

    for (uint32_t slot = 0; slot < table->slots; slot++) {
        best_clear(&best);
        find_best(table, slot, &best);
        best_store(table, slot, &best);
    }
}

/* Slots from `start` on whose ranks hold `id`: a lane of zero borrows from the one above. */
static unsigned gather_holders(const struct slot_table *table, uint32_t start, uint32_t size,
                               uint16_t id, uint32_t *slots)
{
    unsigned count = 0;

    for (uint32_t slot = start; slot < start + size; slot++) {
        uint64_t lanes = table->ranks[slot] ^ (LANES * id);

        slots[count] = slot;
        count += ((lanes - LANES) & ~lanes & (LANES << 15)) != 0;
    }
    return count;
}

/* Slots from `start` on where `member` may be among the four. */
static unsigned gather_candidates(const struct slot_table *table, uint32_t start, uint32_t size,
                                  const struct balance_entry *member, uint32_t *slots)
{
    unsigned count = 0;

    for (uint32_t slot = start; slot < start + size; slot++) {
        uint64_t h = slot_cost_pair(table->hashes[slot], member->low, member->high);

        slots[count] = slot;
        count += slot_cost_may_beat(h, table->bounds[slot], member->weight);
    }
    return count;
}

/* One slot that held `id` before its weight became what it is now. */
static void replace_holder(struct slot_table *table, uint32_t slot, uint16_t id)
{
    const struct balance_entry *member = &table->members[id];
    struct best best;
    uint64_t last_cost;
    uint64_t last_low;
    uint64_t h = slot_cost_pair(table->hashes[slot], member->low, member->high);
    uint64_t cost = member->weight ? slot_cost(h, member->inverse) : SLOT_COST_NONE;

    best_load(table, slot, &best);
    last_cost = best.cost[RANKS - 1];
    last_low = best.low[RANKS - 1];
    best_remove(&best, id);
    /* Whoever was not among the four is not cheaper than the fourth was. */
    if (member->weight && !is_cheaper(last_cost, last_low, cost, member->low))
        best_insert(&best, cost, member->low, id);
    else
        find_best(table, slot, &best);
    best_store(table, slot, &best);
}

static void insert_candidate(struct slot_table *table, uint32_t slot, uint16_t id)
{
    const struct balance_entry *member = &table->members[id];
    struct best best;
    uint64_t h = slot_cost_pair(table->hashes[slot], member->low, member->high);

    best_load(table, slot, &best);
    if (best_has(&best, id))
        return;
    best_insert(&best, slot_cost(h, member->inverse), member->low, id);
    best_store(table, slot, &best);
}

/* Adding, removing and weighing are one: the member of place `id` was `before`. */
static void change_one(struct slot_table *table, uint16_t id, uint32_t before)
{
    const struct balance_entry *member = &table->members[id];
    uint32_t slots[CHUNK_SLOTS];
    uint32_t size = table->slots < CHUNK_SLOTS ? table->slots : CHUNK_SLOTS;

    for (uint32_t start = 0; start < table->slots; start += size) {
        unsigned count = before ? gather_holders(table, start, size, id, slots) : 0;

        for (unsigned i = 0; i < count; i++)
            replace_holder(table, slots[i], id);
        count = member->weight > before ? gather_candidates(table, start, size, member, slots) : 0;
        for (unsigned i = 0; i < count; i++)
            insert_candidate(table, slots[i], id);
    }
}

static void reserve_places(struct slot_table *table, uint32_t places)
{
    if (places <= table->capacity)
        return;
    table->members = memory_resize(table->members, places * 2 * sizeof(*table->members));
    memset(table->members + table->capacity, 0,
           (places * 2 - table->capacity) * sizeof(*table->members));
    table->capacity = places * 2;
}

/* Everything anew: places are the indexes. */
static void set_all(struct slot_table *table, const struct roster *roster)
{
    reserve_places(table, roster->count);
    if (roster->count)
        memcpy(table->members, roster->entries, roster->count * sizeof(*table->members));
    table->places = roster->count;
    for (uint32_t i = 0; i < roster->count; i++)
        table->indexes[i] = (uint16_t)i;
    build_all(table);
}

/* Where each place is in the new roster, and how many members differ. */
static uint32_t match_places(const struct slot_table *table, const struct roster *roster,
                             uint16_t *index_of, uint16_t *place_of)
{
    uint32_t changes = 0;

    memset(place_of, 0xff, roster->count * sizeof(*place_of));
    for (uint32_t place = 0; place < table->places; place++) {
        const struct balance_entry *member = &table->members[place];
        unsigned index = member->weight ? roster_find(roster, member->low) : BALANCE_NONE;

        if (index != BALANCE_NONE && roster->entries[index].weight == 0)
            index = BALANCE_NONE;
        index_of[place] = (uint16_t)index;
        if (index != BALANCE_NONE)
            place_of[index] = (uint16_t)place;
        changes += member->weight &&
                   (index == BALANCE_NONE || roster->entries[index].weight != member->weight);
    }
    for (uint32_t i = 0; i < roster->count; i++)
        changes += place_of[i] == BALANCE_NONE && roster->entries[i].weight != 0;
    return changes;
}

static void set_weight(struct slot_table *table, uint16_t place, const struct balance_entry *entry)
{
    uint32_t before = table->members[place].weight;

    table->members[place].weight = entry ? entry->weight : 0;
    table->members[place].inverse = entry ? entry->inverse : 0;
    if (before != table->members[place].weight)
        change_one(table, place, before);
}

static uint16_t take_place(struct slot_table *table, uint32_t *from)
{
    while (*from < table->places && table->members[*from].weight)
        (*from)++;
    if (*from == table->places) {
        reserve_places(table, table->places + 1);
        table->places++;
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
        table->members[place] = roster->entries[i];
        table->indexes[place] = (uint16_t)i;
        change_one(table, place, 0);
    }
}

void slot_table_set(struct slot_table *table, const struct roster *roster)
{
    uint16_t *index_of = memory_allocate((table->places + 1) * sizeof(*index_of));
    uint16_t *place_of = memory_allocate((roster->count + 1) * sizeof(*place_of));
    uint32_t changes = match_places(table, roster, index_of, place_of);

    if (table->active == 0 || changes > FULL_ABOVE(table->active))
        set_all(table, roster);
    else
        set_changes(table, roster, index_of, place_of);
    table->active = roster->active;
    table->weights = roster->weights;
    table->indexes[BALANCE_NONE] = BALANCE_NONE;
    free(index_of);
    free(place_of);
}

uint32_t slot_table_cap(uint32_t slots, uint32_t cap, const struct balance_entry *entry,
                        uint64_t weights)
{
    const uint64_t whole = 10000;
    unsigned __int128 share = (unsigned __int128)slots * entry->weight;
    unsigned __int128 dither = (unsigned __int128)(entry->high >> 32) * weights * whole;
    unsigned __int128 divisor = (unsigned __int128)weights * whole << 32;
    uint64_t fair = (uint64_t)((share + weights - 1) / weights);
    uint64_t most = (uint64_t)(((share * (whole + cap) << 32) + dither) / divisor);

    return (uint32_t)(most > fair ? most : fair);
}

static inline uint64_t translate(const struct slot_table *table, uint64_t word)
{
    return (uint64_t)table->indexes[word & 0xffff] |
           (uint64_t)table->indexes[word >> 16 & 0xffff] << 16 |
           (uint64_t)table->indexes[word >> 32 & 0xffff] << 32 |
           (uint64_t)table->indexes[word >> 48] << 48;
}

/* All four are full: the cheapest of the others that is not. There is one, since the caps sum to
 * the slots at least. */
static uint16_t find_room(const struct slot_table *table, uint32_t slot, const uint32_t *room)
{
    uint64_t hash = table->hashes[slot];
    uint64_t best_cost = SLOT_COST_NONE;
    uint64_t best_low = UINT64_MAX;
    uint64_t bound = slot_cost_bound(best_cost);
    uint16_t best = BALANCE_NONE;

    for (uint32_t i = 0; i < table->places; i++) {
        const struct balance_entry *member = &table->members[i];
        uint64_t h = slot_cost_pair(hash, member->low, member->high);
        uint64_t cost;

        if (room[i] == 0 || !slot_cost_may_beat(h, bound, member->weight))
            continue;
        cost = slot_cost(h, member->inverse);
        if (!is_cheaper(cost, member->low, best_cost, best_low))
            continue;
        best_cost = cost;
        best_low = member->low;
        best = (uint16_t)i;
        bound = slot_cost_bound(cost);
    }
    return best;
}

/* The owner is full: the word with the first that is not in front. */
static uint64_t settle_full(const struct slot_table *table, uint32_t slot, const uint32_t *room)
{
    uint64_t word = table->ranks[slot];

    for (unsigned i = 1; i < RANKS; i++) {
        uint64_t id = word >> (16 * i) & 0xffff;
        uint64_t below = (UINT64_C(1) << (16 * i)) - 1; /* the lanes before it move up by one */
        uint64_t above = i == RANKS - 1 ? 0 : ~((below << 16) | 0xffff);

        if (id != BALANCE_NONE && room[id])
            return (word & above) | (word & below) << 16 | id;
    }
    return word << 16 | find_room(table, slot, room);
}

void slot_table_write(const struct slot_table *table, uint32_t cap, uint64_t *words)
{
    uint32_t *room;

    if (cap == BALANCE_CAP_OFF || table->active == 0) {
        for (uint32_t slot = 0; slot < table->slots; slot++)
            words[slot] = translate(table, table->ranks[slot]);
        return;
    }
    room = memory_allocate((table->places + 1) * sizeof(*room));
    for (uint32_t i = 0; i < table->places; i++) {
        if (table->members[i].weight)
            room[i] = slot_table_cap(table->slots, cap, &table->members[i], table->weights);
    }
    for (uint32_t slot = 0; slot < table->slots; slot++) {
        uint64_t word = table->ranks[slot];

        if (UNLIKELY(room[word & 0xffff] == 0))
            word = settle_full(table, slot, room);
        room[word & 0xffff]--;
        words[slot] = translate(table, word);
    }
    free(room);
}
