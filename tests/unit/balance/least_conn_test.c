#include "tool.h"

static void the_order_is_the_load_for_the_weight(void **state)
{
    struct balance_options options = tool_options("least-conn");
    const struct balance_member members[] = {{"a", 1, 0}, {"b", 2, 0}, {"c", 4, 0}, {"d", 1, 0}};
    struct balance_image *image = tool_build(&options, members, 4);
    uint32_t in_flight[] = {2, 3, 9, 0}; /* (n + 1) / w: 3, 2, 2.5, 1 */
    struct balance_load load = {.in_flight = in_flight, .total = 14};

    (void)state;
    for (unsigned turn = 0; turn < 8; turn++) {
        uint64_t hash = balance_hash(image, VIEW(""), &load);

        assert_int_equal(balance_owner(image, hash, 0, &load), 3);
        assert_int_equal(balance_owner(image, hash, 1, &load), 1);
        assert_int_equal(balance_owner(image, hash, 2, &load), 2);
        assert_int_equal(balance_owner(image, hash, 3, &load), 0);
    }
    balance_destroy(image);
}

static void idle_members_take_turns(void **state)
{
    struct balance_options options = tool_options("least-conn");
    const struct balance_member members[] = {{"a", 1, 0}, {"b", 1, 0}, {"c", 1, 0}};
    struct balance_image *image = tool_build(&options, members, 3);
    struct balance_load load = {0};
    unsigned counts[3] = {0};

    (void)state;
    for (unsigned i = 0; i < 300; i++)
        counts[balance_owner(image, balance_hash(image, VIEW(""), &load), 0, &load)]++;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(counts[i], 100);
    balance_destroy(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_the_load_for_the_weight),
        cmocka_unit_test(idle_members_take_turns),
    };

    return cmocka_run_group_tests_name("balance/least_conn", tests, NULL, NULL);
}
