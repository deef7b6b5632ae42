#include "tool.h"

#include "balance/digest.h"
#include "balance/slot_cost.h"
#include "balance/slot_settle.h"
#include "balance/slot_table.h"
#include "balance/slot_trial.h"

#define MEMBERS_MAX 40
#define BITS        8
#define SLOTS       256

static const struct balance_options defaults = BALANCE_OPTIONS;
static uint8_t secret[BALANCE_SECRET_BYTES];
static char names[MEMBERS_MAX][16];

/* The same ranking, settled the same way, as plainly as it can be said. */
struct plain {
    const struct roster *roster;
    uint64_t slot_hash;
};

static struct plain plain;

static int compare_costs(const void *a, const void *b)
{
    const struct balance_entry *x = &plain.roster->entries[*(const uint16_t *)a];
    const struct balance_entry *y = &plain.roster->entries[*(const uint16_t *)b];
    uint64_t p = slot_cost(slot_cost_pair(plain.slot_hash, x->low, x->high), x->inverse);
    uint64_t q = slot_cost(slot_cost_pair(plain.slot_hash, y->low, y->high), y->inverse);

    if (p != q)
        return p < q ? -1 : 1;
    return x->low < y->low ? -1 : x->low > y->low;
}

static void settle_plainly(const struct roster *roster, uint32_t cap, uint64_t *words)
{
    uint32_t owned[MEMBERS_MAX] = {0};

    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uint16_t order[MEMBERS_MAX + 1];
        uint32_t count = 0;
        uint32_t owner = 0;

        plain = (struct plain){roster, digest_slot(secret, slot)};
        for (uint32_t i = 0; i < roster->count; i++) {
            if (roster->entries[i].weight)
                order[count++] = (uint16_t)i;
        }
        qsort(order, count, sizeof(*order), compare_costs);
        while (cap != BALANCE_CAP_OFF && count &&
               owned[order[owner]] ==
                   slot_settle_cap(SLOTS, cap, &roster->entries[order[owner]], roster->weights))
            owner++;
        if (count) {
            uint16_t member = order[owner];

            memmove(order + 1, order, owner * sizeof(*order));
            order[0] = member;
            owned[member]++;
        }
        words[slot] = UINT64_MAX;
        for (uint32_t i = 0; i < 4 && i < count; i++)
            words[slot] ^= (uint64_t)(order[i] ^ 0xffffu) << (16 * i);
    }
}

/* Some of all names in some order, with weights below `weights` + 1. */
static size_t draw_members(struct balance_member *members, uint32_t weights)
{
    size_t count = 0;

    for (unsigned i = 0; i < MEMBERS_MAX; i++) {
        if (random_below(3) == 0)
            continue;
        members[count++] =
            (struct balance_member){names[i], weights ? (uint32_t)random_below(weights + 1) : 1, i};
    }
    count = random_below(4) ? count : random_below(count + 1);
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(i);
        struct balance_member kept = members[i - 1];

        members[i - 1] = members[other];
        members[other] = kept;
    }
    return count;
}

static struct roster take(const struct balance_member *members, size_t count)
{
    struct roster roster;
    struct error why;

    if (roster_init(&roster, secret, members, count, false, &why) < 0)
        fail_msg("%s", why.text);
    return roster;
}

static int prepare(void **state)
{
    (void)state;
    digest_secret(defaults.key, secret);
    for (unsigned i = 0; i < MEMBERS_MAX; i++)
        snprintf(names[i], sizeof(names[i]), "web-%u", i);
    return 0;
}

static const uint32_t weight_kinds[] = {0, 0, 1, 5, 65535};
static const uint32_t cap_kinds[] = {500, 0, 100, 5000, BALANCE_CAP_OFF};

static void a_full_build_is_the_ranking_said_plainly(void **state)
{
    struct balance_member members[MEMBERS_MAX];
    uint64_t words[SLOTS];
    uint64_t expected[SLOTS];

    (void)state;
    random_seed(3);
    for (unsigned i = 0; i < tool_times(200, 3000); i++) {
        struct slot_table *table =
            slot_table_create(BITS, i % 2 ? BALANCE_RANKS : SLOT_KEPT, secret);
        uint32_t cap = cap_kinds[random_below(ARRAY_SIZE(cap_kinds))];
        size_t count = draw_members(members, weight_kinds[i % ARRAY_SIZE(weight_kinds)]);
        struct roster roster = take(members, count);

        slot_table_set(table, &roster);
        slot_settle(table, cap, words);
        settle_plainly(&roster, cap, expected);
        assert_memory_equal(words, expected, sizeof(words));
        roster_finish(&roster);
        slot_table_destroy(table);
    }
}

/* One change to what is there: a member goes, comes, or weighs something else. */
static size_t change_members(struct balance_member *members, size_t count, uint32_t weights)
{
    unsigned kind = (unsigned)random_below(3);
    uint32_t weight = weights ? (uint32_t)random_below(weights + 1) : 1;
    size_t at = count ? random_below(count) : 0;

    if (kind == 0 && count) {
        memmove(members + at, members + at + 1, (count - at - 1) * sizeof(*members));
        return count - 1;
    }
    if (kind == 1 && count) {
        members[at].weight = weight;
        return count;
    }
    for (unsigned i = 0; i < MEMBERS_MAX; i++) {
        bool is_there = false;

        for (size_t k = 0; k < count; k++)
            is_there |= members[k].name == names[i];
        if (is_there)
            continue;
        memmove(members + at + 1, members + at, (count - at) * sizeof(*members));
        members[at] = (struct balance_member){names[i], weight, i};
        return count + 1;
    }
    return count;
}

/* The owners that a table as it stands foretells for other members are those they then have. */
static void assert_foretold(const struct slot_table *table, const struct roster *roster,
                            uint32_t cap)
{
    static uint64_t words[SLOTS];
    static uint64_t expected[SLOTS];

    slot_trial(table, roster, cap, words);
    settle_plainly(roster, cap, expected);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        assert_int_equal(words[slot] & 0xffff, expected[slot] & 0xffff);
}

static void any_history_ends_where_a_full_build_does(void **state)
{
    struct balance_member members[MEMBERS_MAX + 1];
    uint64_t words[SLOTS];
    uint64_t expected[SLOTS];

    (void)state;
    random_seed(4);
    for (unsigned i = 0; i < tool_times(60, 600); i++) {
        struct slot_table *table = slot_table_create(BITS, SLOT_KEPT, secret);
        uint32_t weights = weight_kinds[i % ARRAY_SIZE(weight_kinds)];
        size_t count = draw_members(members, weights);

        for (unsigned step = 0; step < 60; step++) {
            struct roster roster = take(members, count);
            uint32_t cap = cap_kinds[random_below(ARRAY_SIZE(cap_kinds))];

            if (step)
                assert_foretold(table, &roster, cap);
            slot_table_set(table, &roster);
            slot_settle(table, cap, words);
            settle_plainly(&roster, cap, expected);
            assert_memory_equal(words, expected, sizeof(words));
            roster_finish(&roster);
            for (uint64_t more = random_below(4); more < 4; more++)
                count = change_members(members, count, weights);
        }
        slot_table_destroy(table);
    }
}

static void all_may_go_and_come_one_after_the_other(void **state)
{
    struct balance_member members[MEMBERS_MAX];
    uint64_t words[SLOTS];
    uint64_t expected[SLOTS];

    (void)state;
    random_seed(6);
    for (unsigned i = 0; i < tool_times(20, 200); i++) {
        struct slot_table *table = slot_table_create(BITS, SLOT_KEPT, secret);

        for (unsigned k = 0; k < MEMBERS_MAX; k++)
            members[k] = (struct balance_member){names[k], 1 + (uint32_t)random_below(i + 1), k};
        tool_shuffle(members, MEMBERS_MAX);
        for (unsigned step = 0; step < 2 * MEMBERS_MAX; step++) {
            size_t count = step < MEMBERS_MAX ? MEMBERS_MAX - step : step - MEMBERS_MAX;
            struct roster roster = take(members + random_below(2), count ? count - 1 : 0);

            if (step)
                assert_foretold(table, &roster, BALANCE_CAP_DEFAULT);
            slot_table_set(table, &roster);
            slot_settle(table, BALANCE_CAP_DEFAULT, words);
            settle_plainly(&roster, BALANCE_CAP_DEFAULT, expected);
            assert_memory_equal(words, expected, sizeof(words));
            roster_finish(&roster);
        }
        slot_table_destroy(table);
    }
}

/* Gives the members hashes that differ in few low bits, so that costs tie in every slot. */
static void make_ties(struct roster *roster)
{
    memset(roster->places, 0, (roster->places_mask + 1) * sizeof(*roster->places));
    for (uint32_t i = 0; i < roster->count; i++) {
        uint32_t number =
            roster->entries[i].name_bytes + (uint32_t)(roster->entries[i].low % 7) * 8;
        uint32_t at;

        while (roster_find(roster, number) != BALANCE_NONE)
            number += 100;
        roster->entries[i].low = number;
        roster->entries[i].high = 1 + (number % 2) * 4;
        at = number & roster->places_mask;
        while (roster->places[at])
            at = (at + 1) & roster->places_mask;
        roster->places[at] = i + 1;
    }
}

static void ties_are_settled_by_the_name_however_one_came_there(void **state)
{
    struct balance_member members[MEMBERS_MAX + 1];
    uint64_t words[SLOTS];
    uint64_t expected[SLOTS];

    (void)state;
    random_seed(5);
    for (unsigned i = 0; i < tool_times(40, 400); i++) {
        struct slot_table *table = slot_table_create(BITS, SLOT_KEPT, secret);
        size_t count = draw_members(members, i % 3);

        for (unsigned step = 0; step < 40; step++) {
            struct roster roster = take(members, count);

            make_ties(&roster);
            if (step)
                assert_foretold(table, &roster, BALANCE_CAP_DEFAULT);
            slot_table_set(table, &roster);
            slot_settle(table, BALANCE_CAP_DEFAULT, words);
            settle_plainly(&roster, BALANCE_CAP_DEFAULT, expected);
            assert_memory_equal(words, expected, sizeof(words));
            roster_finish(&roster);
            count = change_members(members, count, i % 3);
        }
        slot_table_destroy(table);
    }
}

static void caps_are_the_fair_share_and_the_excess(void **state)
{
    const struct balance_entry entry = {.weight = 1, .high = 0};
    const struct balance_entry dithered = {.weight = 1, .high = UINT64_MAX};
    const struct balance_entry heavy = {.weight = 65535, .high = UINT64_MAX};

    (void)state;
    assert_int_equal(slot_settle_cap(65536, 0, &entry, 65536), 1);
    assert_int_equal(slot_settle_cap(65536, 0, &entry, 3), 21846);      /* 21845.33 */
    assert_int_equal(slot_settle_cap(65536, 500, &entry, 3), 22937);    /* 22937.6 */
    assert_int_equal(slot_settle_cap(65536, 500, &dithered, 3), 22938); /* + almost 1 */
    assert_int_equal(slot_settle_cap(65536, 500, &entry, 100000), 1);
    assert_int_equal(slot_settle_cap(1048576, BALANCE_CAP_MAX, &heavy, 65535), 105906176);
    assert_int_equal(slot_settle_cap(1048576, 500, &heavy, UINT64_C(65535) * 16384), 68);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_build_is_the_ranking_said_plainly),
        cmocka_unit_test(any_history_ends_where_a_full_build_does),
        cmocka_unit_test(all_may_go_and_come_one_after_the_other),
        cmocka_unit_test(ties_are_settled_by_the_name_however_one_came_there),
        cmocka_unit_test(caps_are_the_fair_share_and_the_excess),
    };

    return cmocka_run_group_tests_name("balance/slot_table", tests, prepare, NULL);
}
