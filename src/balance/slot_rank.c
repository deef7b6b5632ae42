#include "balance/slot_rank.h"

#include "balance/slot_cost.h"

#define RANKS       BALANCE_RANKS
#define LAST        (RANKS - 1)
#define LANES       UINT64_C(0x0001000100010001)
#define NO_MEMBER   UINT64_MAX
#define EXPECTED    UINT64_C(10) /* members whose exact cost is worth a look */
#define CHUNK_SLOTS 1024         /* changed slots are gathered this many at a time */

/* Hashes further apart than this have different costs at any weight: a step of the cost is at most
 * 2^22 · weight hashes wide, and twice that with its rounding. */
#define TIE_DISTANCE (UINT64_C(1) << 40)

static inline unsigned lane(uint64_t word, unsigned rank)
{
    return (unsigned)(word >> (16 * rank)) & 0xffffu;
}

/* Lanes below `rank`. */
static inline uint64_t lanes_below(unsigned rank)
{
    return (UINT64_C(1) << (16 * rank)) - 1;
}

static inline uint64_t insert_lane(uint64_t word, unsigned rank, uint16_t place)
{
    uint64_t below = lanes_below(rank);

    return (word & below) | (uint64_t)place << (16 * rank) | (word & ~below) << 16;
}

/* Without that lane; the last one holds BALANCE_NONE then. */
static inline uint64_t remove_lane(uint64_t word, unsigned rank)
{
    uint64_t below = lanes_below(rank);

    return (word & below) | (word >> 16 & ~below) | (uint64_t)BALANCE_NONE << (16 * LAST);
}

/* The top bit of every lane that holds `place`, exact up to the lowest such. */
static inline uint64_t find_lane(uint64_t word, uint16_t place)
{
    uint64_t zeros = word ^ (LANES * place);

    return (zeros - LANES) & ~zeros & (LANES << 15);
}

static inline bool is_cheaper(uint64_t cost, uint64_t low, uint64_t than_cost, uint64_t than_low)
{
    return (cost < than_cost) | ((cost == than_cost) & (low < than_low));
}

static inline uint64_t cost_of(const struct slot_table *table, uint32_t slot, unsigned place)
{
    const struct balance_entry *member = &table->members[place];
    uint64_t h = slot_cost_pair(table->hashes[slot], member->low, member->high);

    return slot_cost(h, member->inverse);
}

static uint64_t low_of(const struct slot_table *table, unsigned place)
{
    return place == BALANCE_NONE ? UINT64_MAX : table->members[place].low;
}

/*
 * A cost that some EXPECTED members are between and `cost`: costs are arrivals at the rate of all
 * weights. Where there are few members, one that includes them all.
 */
static uint64_t likely_cost(const struct slot_table *table, uint64_t cost)
{
    uint64_t likely;

    if (table->active <= EXPECTED)
        return SLOT_COST_NONE;
    likely = cost + (EXPECTED << SLOT_COST_POINT) / table->weights;
    return likely < SLOT_COST_NONE ? likely : SLOT_COST_NONE;
}

/* Sifts the places that may cost `most` or less into table->sifted; returns how many. */
static unsigned sift_members(const struct slot_table *table, uint32_t slot, uint64_t most)
{
    const struct balance_entry *members = table->members;
    uint64_t hash = table->hashes[slot];
    uint64_t bound = slot_cost_bound(most);
    unsigned count = 0;

    for (uint32_t i = 0; i < table->places; i++) {
        uint64_t h = slot_cost_pair(hash, members[i].low, members[i].high);

        table->sifted[count] = (uint16_t)i;
        table->sifted_pairs[count] = h;
        count += slot_cost_may_beat(h, bound, members[i].weight);
    }
    return count;
}

/*
 * The four cheapest of those sifted, as one number each: cost, then place. Places are in the order
 * of `low` here, so that the number settles ties as the order of members does. No branch depends
 * on a cost.
 */
static void choose_four(const struct slot_table *table, unsigned count, uint64_t four[RANKS])
{
    for (unsigned i = 0; i < RANKS; i++)
        four[i] = NO_MEMBER;
    for (unsigned i = 0; i < count; i++) {
        uint16_t place = table->sifted[i];
        uint64_t cost = slot_cost(table->sifted_pairs[i], table->members[place].inverse);
        uint64_t next = cost << 16 | place;

        for (unsigned k = 0; k < RANKS; k++) {
            uint64_t less = next < four[k] ? next : four[k];

            next = next < four[k] ? four[k] : next;
            four[k] = less;
        }
    }
}

void slot_rank_all(struct slot_table *table)
{
    uint64_t likely = likely_cost(table, 0);
    uint64_t four[RANKS];

    for (uint32_t slot = 0; slot < table->slots; slot++) {
        choose_four(table, sift_members(table, slot, likely), four);
        if (UNLIKELY(four[LAST] >> 16 > likely))
            choose_four(table, sift_members(table, slot, SLOT_COST_NONE), four);
        table->ranks[slot] = (four[0] & 0xffff) | (four[1] & 0xffff) << 16 |
                             (four[2] & 0xffff) << 32 | (four[3] & 0xffff) << 48;
        table->lasts[slot] = four[LAST] == NO_MEMBER ? SLOT_COST_NONE : four[LAST] >> 16;
    }
}

/* Of those sifted the ones that are members and in no lane of `word`; returns how many. */
static unsigned keep_free(struct slot_table *table, unsigned count, uint64_t word)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < count; i++) {
        uint16_t place = table->sifted[i];

        table->sifted[kept] = place;
        table->sifted_pairs[kept] = table->sifted_pairs[i];
        kept += (table->members[place].weight != 0) & (find_lane(word, place) == 0);
    }
    return kept;
}

/* The last lane of `word` is free: the cheapest member that no lane holds. */
static uint16_t find_last_sifted(struct slot_table *table, uint32_t slot, uint64_t word,
                                 uint64_t most)
{
    unsigned count = keep_free(table, sift_members(table, slot, most), word);
    uint64_t best_cost = SLOT_COST_NONE;
    uint64_t best_low = UINT64_MAX;
    uint16_t best = BALANCE_NONE;

    for (unsigned i = 0; i < count; i++) {
        uint16_t place = table->sifted[i];
        const struct balance_entry *member = &table->members[place];
        uint64_t cost = slot_cost(table->sifted_pairs[i], member->inverse);
        bool is_better = is_cheaper(cost, member->low, best_cost, best_low);

        best_cost = is_better ? cost : best_cost;
        best_low = is_better ? member->low : best_low;
        best = is_better ? place : best;
    }
    table->lasts[slot] = best_cost;
    return best;
}

static uint16_t find_last(struct slot_table *table, uint32_t slot, uint64_t word)
{
    bool is_few = table->active <= EXPECTED;
    uint64_t third = is_few ? 0 : cost_of(table, slot, lane(word, LAST - 1));
    uint64_t likely = likely_cost(table, third);
    uint16_t place = find_last_sifted(table, slot, word, likely);

    if (table->lasts[slot] > likely)
        place = find_last_sifted(table, slot, word, SLOT_COST_NONE);
    return place;
}

/*
 * The same where all weights are equal: the cheapest is then the one of the lowest hash, no
 * logarithm needed. The three that are there must be the lowest three and the next two well apart,
 * or rounding could have tied costs: BALANCE_NONE then, and the long way decides. A free place has
 * the hash 0.
 */
static uint16_t find_last_even(struct slot_table *table, uint32_t slot, uint64_t word)
{
    const struct balance_entry *members = table->members;
    const struct balance_entry *third = &members[lane(word, LAST - 1)];
    uint64_t hash = table->hashes[slot];
    uint64_t after = slot_cost_pair(hash, third->low, third->high) + 1;
    uint64_t least = UINT64_MAX;
    uint64_t second = UINT64_MAX;
    uint32_t lower = 0;
    uint32_t place = BALANCE_NONE;

    for (uint32_t i = 0; i < table->places; i++) {
        uint64_t h = slot_cost_pair(hash, members[i].low, members[i].high);
        uint64_t distance = h - after; /* of those below: beyond all others */
        bool is_least = distance < least;
        uint64_t more = is_least ? least : distance;

        lower += h < after;
        second = more < second ? more : second;
        place = is_least ? i : place;
        least = is_least ? distance : least;
    }
    if (lower != table->places - table->active + LAST || least < TIE_DISTANCE ||
        second - least < TIE_DISTANCE)
        return BALANCE_NONE;
    table->lasts[slot] = slot_cost(least + after, third->inverse);
    return (uint16_t)place;
}

/* Fills the last lane, which is free. */
static void fill_last(struct slot_table *table, uint32_t slot, uint64_t word)
{
    uint16_t place = BALANCE_NONE;

    if (table->active >= RANKS && table->is_even)
        place = find_last_even(table, slot, word);
    if (table->active >= RANKS && place == BALANCE_NONE)
        place = find_last(table, slot, word);
    if (place == BALANCE_NONE)
        table->lasts[slot] = SLOT_COST_NONE;
    table->ranks[slot] = (word & lanes_below(LAST)) | (uint64_t)place << (16 * LAST);
}

/*
 * Puts the member where it belongs among the four, if it does; it is in no lane. All costs are
 * worked out and its rank is counted, where a search would guess wrong at every other branch.
 */
static void insert_member(struct slot_table *table, uint32_t slot, uint16_t place)
{
    uint64_t cost = cost_of(table, slot, place);
    uint64_t low = table->members[place].low;
    uint64_t word = table->ranks[slot];
    uint64_t costs[RANKS];
    unsigned rank = 0;

    costs[LAST] = lane(word, LAST) == BALANCE_NONE ? SLOT_COST_NONE : table->lasts[slot];
    for (unsigned i = 0; i < LAST; i++) {
        unsigned other = lane(word, i);

        costs[i] = other == BALANCE_NONE ? SLOT_COST_NONE : cost_of(table, slot, other);
    }
    for (unsigned i = 0; i < RANKS; i++)
        rank += !is_cheaper(cost, low, costs[i], low_of(table, lane(word, i)));
    if (rank == RANKS)
        return;
    table->ranks[slot] = insert_lane(word, rank, place);
    table->lasts[slot] = rank == LAST ? cost : costs[LAST - 1];
}

/* Slots from `start` on whose ranks hold `place`. */
static unsigned gather_holders(const struct slot_table *table, uint32_t start, uint32_t size,
                               uint16_t place, uint32_t *slots)
{
    unsigned count = 0;

    for (uint32_t slot = start; slot < start + size; slot++) {
        slots[count] = slot;
        count += find_lane(table->ranks[slot], place) != 0;
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
        count += slot_cost_may_beat(h, slot_cost_bound(table->lasts[slot]), member->weight);
    }
    return count;
}

/*
 * A slot that held the member before its weight changed. Whoever is not among the four is not
 * cheaper than the fourth was; so a member that still is not dearer than that stays, and else the
 * slot needs a new fourth.
 */
static void change_holder(struct slot_table *table, uint32_t slot, uint16_t place, uint32_t before)
{
    const struct balance_entry *member = &table->members[place];
    uint64_t word = table->ranks[slot];
    uint64_t last = table->lasts[slot];
    unsigned last_place = lane(word, LAST);
    unsigned rank = (unsigned)__builtin_ctzll(find_lane(word, place)) / 16;
    bool stays = member->weight > before;

    word = remove_lane(word, rank);
    if (member->weight && !stays && rank != LAST)
        stays =
            is_cheaper(cost_of(table, slot, place), member->low, last, low_of(table, last_place));
    if (stays) {
        table->ranks[slot] = word;
        insert_member(table, slot, place);
    } else {
        fill_last(table, slot, word);
    }
}

static void note_slots(struct slot_table *table, const uint32_t *slots, unsigned count)
{
    for (unsigned i = 0; table->undo && i < count; i++)
        slot_table_note(table, slots[i]);
}

void slot_rank_change(struct slot_table *table, uint16_t place, uint32_t before)
{
    const struct balance_entry *member = &table->members[place];
    uint32_t slots[CHUNK_SLOTS];
    uint32_t size = table->slots < CHUNK_SLOTS ? table->slots : CHUNK_SLOTS;

    for (uint32_t start = 0; start < table->slots; start += size) {
        unsigned count = before ? gather_holders(table, start, size, place, slots) : 0;

        note_slots(table, slots, count);
        for (unsigned i = 0; i < count; i++)
            change_holder(table, slots[i], place, before);
        count = member->weight > before ? gather_candidates(table, start, size, member, slots) : 0;
        note_slots(table, slots, count);
        for (unsigned i = 0; i < count; i++) {
            if (!find_lane(table->ranks[slots[i]], place))
                insert_member(table, slots[i], place);
        }
    }
}
