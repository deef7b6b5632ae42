#include "balance/slot_list.h"
#include "tool.h"

static uint64_t random_cost(void)
{
    return random_next() >> (16 + random_below(48));
}

static void codes_are_in_the_order_of_costs(void **state)
{
    (void)state;
    random_seed(20);
    for (unsigned i = 0; i < tool_times(200000, 5000000); i++) {
        uint64_t a = random_cost();
        uint64_t b = i % 2 ? random_cost() : a + random_below(1 + (a >> 20));

        if (b >= SLOT_COST_NONE)
            continue;
        if (a > b) {
            uint64_t kept = a;

            a = b;
            b = kept;
        }
        assert_true(slot_list_code(a) <= slot_list_code(b));
        assert_true(slot_list_code(b) < SLOT_CODE_NONE);
        if (b - a > (b >> 9) + 1)
            assert_true(slot_list_code(a) < slot_list_code(b));
    }
}

static void a_code_bounds_its_costs(void **state)
{
    static const uint64_t costs[] = {0,     1,     2,     3,     4,     5,     0x1ff, 0x200,
                                     0x201, 0x3ff, 0x400, 0x401, 0x7fe, 0x7ff, 0x800, 0x801};

    (void)state;
    random_seed(21);
    for (unsigned i = 0; i < tool_times(200000, 5000000); i++) {
        uint64_t cost = i < ARRAY_SIZE(costs) ? costs[i] : random_cost();
        int16_t code = slot_list_code(cost);

        assert_true(slot_list_least(code) <= cost);
        assert_true(slot_list_most(code) >= cost);
        assert_true(slot_list_most(code) - slot_list_least(code) <= (cost >> 9) + 3);
    }
    assert_true(slot_list_most(slot_list_code(SLOT_COST_NONE - 1)) >= SLOT_COST_NONE - 1);
    assert_true(slot_list_most(SLOT_CODE_NONE) >= SLOT_COST_NONE);
    assert_true(slot_list_least(SLOT_CODE_NONE) == SLOT_COST_NONE);
}

/* A list as it is said plainly: so many places and codes, and nothing behind. */
struct plain {
    uint16_t places[SLOT_KEPT + 1];
    int16_t codes[SLOT_KEPT + 1];
    unsigned count;
};

static struct slot_list list_of(const struct plain *plain)
{
    struct slot_list list;

    for (unsigned i = 0; i < SLOT_KEPT; i++) {
        list.places[i] = (int16_t)(i < plain->count ? plain->places[i] : BALANCE_NONE);
        list.codes[i] = i < plain->count ? plain->codes[i] : SLOT_CODE_NONE;
    }
    return list;
}

static void assert_same(struct slot_list list, const struct plain *plain)
{
    struct slot_list expected = list_of(plain);

    assert_memory_equal(&list, &expected, sizeof(list));
}

static void draw(struct plain *plain)
{
    plain->count = (unsigned)random_below(SLOT_KEPT + 1);
    for (unsigned i = 0; i < plain->count; i++) {
        plain->places[i] = (uint16_t)(random_below(4) * 8 + i); /* no two the same */
        plain->codes[i] =
            (int16_t)((i ? plain->codes[i - 1] : -32000) + 1 + (int16_t)random_below(6000));
    }
}

static void who_goes_leaves_no_gap(void **state)
{
    (void)state;
    random_seed(22);
    for (unsigned i = 0; i < 20000; i++) {
        struct plain plain;
        struct slot_list list;
        unsigned rank;
        uint16_t place;

        draw(&plain);
        list = list_of(&plain);
        assert_same(slot_list_without(list, 999, false), &plain);
        if (plain.count == 0)
            continue;
        rank = (unsigned)random_below(plain.count);
        place = plain.places[rank];
        plain.count--;
        memmove(plain.places + rank, plain.places + rank + 1,
                (plain.count - rank) * sizeof(*plain.places));
        memmove(plain.codes + rank, plain.codes + rank + 1,
                (plain.count - rank) * sizeof(*plain.codes));
        assert_same(slot_list_without(list, place, true), &plain);
    }
}

static void who_comes_stands_where_its_cost_says(void **state)
{
    (void)state;
    random_seed(23);
    for (unsigned i = 0; i < 20000; i++) {
        struct plain plain;
        struct slot_list list;
        unsigned rank = 0;
        int16_t code = (int16_t)(INT16_MIN + 1 + (int)random_below(40000));

        draw(&plain);
        list = list_of(&plain);
        if (plain.count) {
            assert_true(slot_list_ties(list, plain.codes[random_below(plain.count)]));
            code = plain.codes[random_below(plain.count)];
            code = (int16_t)(code + (int)random_below(21) - 10);
        }
        while (rank < plain.count && plain.codes[rank] < code)
            rank++;
        if (rank < plain.count && plain.codes[rank] == code)
            continue;
        assert_false(slot_list_ties(list, code));
        memmove(plain.places + rank + 1, plain.places + rank,
                (plain.count - rank) * sizeof(*plain.places));
        memmove(plain.codes + rank + 1, plain.codes + rank,
                (plain.count - rank) * sizeof(*plain.codes));
        plain.places[rank] = 999;
        plain.codes[rank] = code;
        plain.count += plain.count < SLOT_KEPT;
        assert_same(slot_list_with(list, 999, code), &plain);
    }
}

static void who_is_raised_moves_up_and_nobody_falls_out(void **state)
{
    (void)state;
    random_seed(25);
    for (unsigned i = 0; i < 20000; i++) {
        struct plain plain;
        struct slot_list list;
        struct slot_list expected;
        unsigned rank;
        uint16_t place;
        int16_t code;

        do
            draw(&plain);
        while (plain.count == 0);
        list = list_of(&plain);
        rank = (unsigned)random_below(plain.count);
        place = plain.places[rank];
        code = (int16_t)(plain.codes[rank] - (int)random_below(500));
        if (slot_list_ties_other(list, place, code))
            continue;
        expected = slot_list_with(slot_list_without(list, place, true), place, code);
        list = slot_list_raise(list, place, code);
        assert_memory_equal(&list, &expected, sizeof(list));
        list = list_of(&plain);
        if (slot_list_ties(list, code))
            continue;
        expected = slot_list_with(list, 999, code);
        list = slot_list_raise(list, 999, code); /* was not in it */
        assert_memory_equal(&list, &expected, sizeof(list));
    }
}

/* Of those that are missing it is known that they come behind the last. */
static void a_full_list_keeps_in_mind_where_it_ended(void **state)
{
    (void)state;
    random_seed(24);
    for (unsigned i = 0; i < 20000; i++) {
        struct plain plain;
        struct slot_list list;
        struct slot_list less;
        unsigned rank = (unsigned)random_below(SLOT_KEPT);

        do
            draw(&plain);
        while (plain.count < SLOT_KEPT);
        list = list_of(&plain);
        less = slot_list_without(list, plain.places[rank], false);
        assert_int_equal((uint16_t)less.places[SLOT_KEPT - 1], BALANCE_NONE);
        assert_int_equal(less.codes[SLOT_KEPT - 1], plain.codes[SLOT_KEPT - 1]);
        less = slot_list_without(less, (uint16_t)less.places[0], true);
        for (unsigned k = SLOT_KEPT - 2; k < SLOT_KEPT; k++) {
            assert_int_equal((uint16_t)less.places[k], BALANCE_NONE);
            assert_int_equal(less.codes[k], plain.codes[SLOT_KEPT - 1]);
        }
        list = slot_list_with(less, 999, (int16_t)(plain.codes[SLOT_KEPT - 1] + 1));
        assert_memory_equal(&list, &less, sizeof(list)); /* beyond what is known */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_in_the_order_of_costs),
        cmocka_unit_test(a_code_bounds_its_costs),
        cmocka_unit_test(who_goes_leaves_no_gap),
        cmocka_unit_test(who_comes_stands_where_its_cost_says),
        cmocka_unit_test(who_is_raised_moves_up_and_nobody_falls_out),
        cmocka_unit_test(a_full_list_keeps_in_mind_where_it_ended),
    };

    return cmocka_run_group_tests_name("balance/slot_list", tests, NULL, NULL);
}
