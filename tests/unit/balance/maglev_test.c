#include "tool.h"

#define SLOTS 65537u

static char names[100][16];

static int prepare(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        snprintf(names[i], sizeof(names[i]), "web-%u", i);
    return 0;
}

static void count_slots(const struct balance_image *image, uint32_t *owned)
{
    memset(owned, 0, 100 * sizeof(*owned));
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        owned[balance_slot_owner(image, slot)]++;
}

static void shares_differ_by_one_slot(void **state)
{
    struct balance_options options = tool_options("maglev");
    struct balance_member members[100];
    struct balance_image *image;
    uint32_t owned[100];

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        members[i] = (struct balance_member){names[i], 3, 0};
    image = tool_build(&options, members, 100);
    assert_int_equal(balance_slots(image), SLOTS);
    count_slots(image, owned);
    for (unsigned i = 0; i < 100; i++)
        assert_in_range(owned[i], SLOTS / 100, SLOTS / 100 + 1);
    balance_destroy(image);
}

static void shares_follow_the_weights(void **state)
{
    struct balance_options options = tool_options("maglev");
    const struct balance_member members[] = {{"a", 1, 0}, {"b", 2, 0}, {"c", 7, 0}, {"d", 0, 0}};
    struct balance_image *image = tool_build(&options, members, 4);
    uint32_t owned[100];

    (void)state;
    count_slots(image, owned);
    assert_in_range(owned[0], SLOTS / 10 - 1, SLOTS / 10 + 1);
    assert_in_range(owned[1], SLOTS / 5 - 1, SLOTS / 5 + 2);
    assert_in_range(owned[2], SLOTS * 7 / 10 - 3, SLOTS * 7 / 10 + 3);
    assert_int_equal(owned[3], 0);
    balance_destroy(image);
}

static void few_keys_of_those_who_stay_move(void **state)
{
    struct balance_options options = tool_options("maglev");
    struct balance_member members[100];
    struct balance_image *before;
    struct balance_image *after;
    uint32_t moved = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        members[i] = (struct balance_member){names[i], 1, 0};
    before = tool_build(&options, members, 100);
    after = tool_build(&options, members, 99);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        moved += balance_slot_owner(before, slot) != balance_slot_owner(after, slot);
    assert_in_range(moved, SLOTS / 100, SLOTS / 100 * 2);
    balance_destroy(after);
    balance_destroy(before);
}

static void another_number_of_slots_is_refused(void **state)
{
    struct balance_options options = tool_options("maglev");
    struct error why;

    (void)state;
    options.slots = 1024;
    assert_int_equal(balance_check(&options, &why), -EINVAL);
    assert_string_equal(why.text, "slots is 1024: maglev has 65537");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_differ_by_one_slot),
        cmocka_unit_test(shares_follow_the_weights),
        cmocka_unit_test(few_keys_of_those_who_stay_move),
        cmocka_unit_test(another_number_of_slots_is_refused),
    };

    return cmocka_run_group_tests_name("balance/maglev", tests, prepare, NULL);
}
