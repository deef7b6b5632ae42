#include "tool.h"

static unsigned next(const struct balance_image *image, struct balance_load *load)
{
    return balance_owner(image, balance_hash(image, VIEW("any"), load), 0, load);
}

static void equals_take_turns_by_name(void **state)
{
    struct balance_options options = tool_options("round-robin");
    const struct balance_member members[] = {{"c", 5, 0}, {"a", 5, 0}, {"d", 0, 0}, {"b", 5, 0}};
    struct balance_image *image = tool_build(&options, members, 4);
    struct balance_load load = {0};
    char order[10] = "";

    (void)state;
    for (unsigned i = 0; i < 9; i++)
        order[i] = *balance_name(image, next(image, &load));
    assert_string_equal(order, "abcabcabc");
    assert_false(balance_is_keyed(image));
    balance_destroy(image);
}

static void weights_are_spread_over_the_cycle(void **state)
{
    struct balance_options options = tool_options("round-robin");
    const struct balance_member members[] = {{"a", 500, 0}, {"b", 100, 0}, {"c", 100, 0}};
    struct balance_image *image = tool_build(&options, members, 3);
    struct balance_load load = {0};
    char order[15] = "";

    (void)state;
    for (unsigned i = 0; i < 14; i++)
        order[i] = *balance_name(image, next(image, &load));
    /* a's turns are at 1/10, 3/10, … of the cycle, b's and c's at 1/2, where a has one too. */
    assert_string_equal(order, "aaabcaaaaabcaa");
    balance_destroy(image);
}

static void huge_weights_are_scaled_and_nobody_is_forgotten(void **state)
{
    struct balance_options options = tool_options("round-robin");
    const struct balance_member members[] = {
        {"a", 65535, 0}, {"b", 65534, 0}, {"c", 32767, 0}, {"d", 1, 0}};
    struct balance_image *image = tool_build(&options, members, 4);
    struct balance_load load = {0};
    unsigned counts[4] = {0};

    (void)state;
    for (unsigned i = 0; i < 163837; i++)
        counts[next(image, &load)]++;
    assert_in_range(counts[0], 65535 - 10, 65535 + 10);
    assert_in_range(counts[1], 65534 - 10, 65534 + 10);
    assert_in_range(counts[2], 32767 - 10, 32767 + 10);
    assert_in_range(counts[3], 1, 5);
    balance_destroy(image);
}

static void the_turns_of_one_that_is_down_are_shared_by_all(void **state)
{
    struct balance_options options = tool_options("round-robin");
    const struct balance_member members[] = {{"a", 1, 0}, {"b", 1, 0}, {"c", 1, 0}, {"d", 1, 0}};
    struct balance_image *image = tool_build(&options, members, 4);
    struct balance_load load = {0};
    unsigned counts[4] = {0};

    (void)state;
    for (unsigned i = 0; i < 1200; i++) {
        uint64_t hash = balance_hash(image, VIEW("any"), &load);
        unsigned member = balance_owner(image, hash, 0, &load);

        counts[member == 1 ? balance_owner(image, hash, 1, &load) : member]++;
    }
    assert_int_equal(counts[0], 400);
    assert_int_equal(counts[1], 0);
    assert_int_equal(counts[2], 400);
    assert_int_equal(counts[3], 400);
    balance_destroy(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_take_turns_by_name),
        cmocka_unit_test(weights_are_spread_over_the_cycle),
        cmocka_unit_test(huge_weights_are_scaled_and_nobody_is_forgotten),
        cmocka_unit_test(the_turns_of_one_that_is_down_are_shared_by_all),
    };

    return cmocka_run_group_tests_name("balance/round_robin", tests, NULL, NULL);
}
