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
        assert_in_range(slot_list_code(b), 1, SLOT_CODE_NONE - 1);
        if (b - a > (b >> 24) + 1)
            assert_true(slot_list_code(a) < slot_list_code(b));
    }
}

static void a_code_bounds_its_costs(void **state)
{
    static const uint64_t costs[] = {0, 1, 2, 3, 4, 5, 0x1ffffff, 0x2000000, 0x3ffffff, 0x4000001};

    (void)state;
    random_seed(21);
    for (unsigned i = 0; i < tool_times(200000, 5000000); i++) {
        uint64_t cost = i < ARRAY_SIZE(costs) ? costs[i] : random_cost();
        int32_t code = slot_list_code(cost);

        assert_true(slot_list_least(code) <= cost);
        assert_true(slot_list_most(code) >= cost);
        assert_true(slot_list_most(code) - slot_list_least(code) <= (cost >> 24) + 3);
    }
    assert_true(slot_list_most(slot_list_code(SLOT_COST_NONE - 1)) >= SLOT_COST_NONE - 1);
    assert_true(slot_list_most(SLOT_CODE_NONE) == SLOT_COST_NONE);
    assert_true(slot_list_least(SLOT_CODE_NONE) > SLOT_COST_NONE);
}

/* A list as it is said plainly: so many places and codes, and nothing behind. */
struct plain {
    uint16_t places[SLOT_KEPT + 1];
    int32_t codes[SLOT_KEPT + 1];
    unsigned count;
};

static struct slot_list list_of(const struct plain *plain)
{
    struct slot_list list;

    for (unsigned i = 0; i < SLOT_KEPT; i++) {
        int32_t code = i < plain->count ? plain->codes[i] : SLOT_CODE_NONE;

        list.places[i] = (int16_t)(i < plain->count ? plain->places[i] : BALANCE_NONE);
        if (i < SLOT_KEPT / 2)
            list.low[i] = code;
        else
            list.high[i - SLOT_KEPT / 2] = code;
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
        plain->codes[i] = (i ? plain->codes[i - 1] : 0) + 1 + (int32_t)random_below(1 << 26);
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
        assert_same(slot_list_without(list, 999), &plain);
        if (plain.count == 0)
            continue;
        rank = (unsigned)random_below(plain.count);
        place = plain.places[rank];
        plain.count--;
        memmove(plain.places + rank, plain.places + rank + 1,
                (plain.count - rank) * sizeof(*plain.places));
        memmove(plain.codes + rank, plain.codes + rank + 1,
                (plain.count - rank) * sizeof(*plain.codes));
        assert_same(slot_list_without(list, place), &plain);
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
        int32_t code = 1 + (int32_t)random_below(1 << 28);

        draw(&plain);
        list = list_of(&plain);
        assert_same(slot_list_with(list, BALANCE_NONE, SLOT_CODE_NONE), &plain);
        if (plain.count) {
            assert_true(slot_list_ties(list, plain.codes[random_below(plain.count)]));
            code += plain.codes[random_below(plain.count)] - (1 << 27);
            code = code < 1 ? 1 : code;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_in_the_order_of_costs),
        cmocka_unit_test(a_code_bounds_its_costs),
        cmocka_unit_test(who_goes_leaves_no_gap),
        cmocka_unit_test(who_comes_stands_where_its_cost_says),
    };

    return cmocka_run_group_tests_name("balance/slot_list", tests, NULL, NULL);
}
