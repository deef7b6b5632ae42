#include "tool.h"

#define MEMBERS 10
#define DRAWS   100000

static const struct balance_member members[MEMBERS] = {
    {"a", 1, 0}, {"b", 1, 0}, {"c", 1, 0}, {"d", 1, 0}, {"e", 1, 0},
    {"f", 1, 0}, {"g", 1, 0}, {"h", 1, 0}, {"i", 1, 0}, {"j", 1, 0}};

static void every_pair_is_drawn_equally_often(void **state)
{
    struct balance_options options = tool_options("p2c");
    struct balance_image *image = tool_build(&options, members, MEMBERS);
    struct balance_load load = {0};
    unsigned pairs[MEMBERS][MEMBERS] = {{0}};

    (void)state;
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t hash = balance_hash(image, VIEW(""), &load);

        pairs[balance_owner(image, hash, 0, &load)][balance_owner(image, hash, 1, &load)]++;
    }
    for (unsigned a = 0; a < MEMBERS; a++) {
        assert_int_equal(pairs[a][a], 0);
        for (unsigned b = 0; b < MEMBERS; b++) {
            if (a != b) /* 1,111 each; five standard deviations are 166 */
                assert_in_range(pairs[a][b], 1111 - 166, 1111 + 166);
        }
    }
    balance_destroy(image);
}

static void the_less_loaded_of_two_is_first(void **state)
{
    struct balance_options options = tool_options("p2c");
    struct balance_image *image = tool_build(&options, members, MEMBERS);
    uint32_t in_flight[MEMBERS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct balance_load load = {.in_flight = in_flight};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t hash = balance_hash(image, VIEW(""), &load);

        assert_true(balance_owner(image, hash, 0, &load) < balance_owner(image, hash, 1, &load));
    }
    balance_destroy(image);
}

static void the_fullest_stays_near_the_average(void **state)
{
    struct balance_options options = tool_options("p2c");
    struct balance_image *image = tool_build(&options, members, MEMBERS);
    uint32_t in_flight[MEMBERS] = {0};
    struct balance_load load = {.in_flight = in_flight};

    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        in_flight[balance_owner(image, balance_hash(image, VIEW(""), &load), 0, &load)]++;
    for (unsigned i = 0; i < MEMBERS; i++)
        assert_in_range(in_flight[i], 995, 1005);
    balance_destroy(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_is_drawn_equally_often),
        cmocka_unit_test(the_less_loaded_of_two_is_first),
        cmocka_unit_test(the_fullest_stays_near_the_average),
    };

    return cmocka_run_group_tests_name("balance/p2c", tests, NULL, NULL);
}
