#include "balance/balance_plan.h"
#include "tool.h"

static const struct balance_member abc[] = {{"a", 1, 1}, {"b", 1, 2}, {"c", 1, 3}, {"d", 1, 4}};
/* The same but for b; in another order. */
static const struct balance_member dca[] = {{"d", 1, 4}, {"c", 1, 3}, {"a", 1, 1}};

static struct balance_plan make(const struct balance_image *before,
                                const struct balance_image *after)
{
    struct balance_plan plan;
    struct error why;

    if (balance_plan_make(before, after, &plan, &why) < 0)
        fail_msg("%s", why.text);
    return plan;
}

static const struct balance_share *share_of(const struct balance_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->share_count; i++) {
        if (strcmp(plan->shares[i].name, name) == 0)
            return &plan->shares[i];
    }
    fail_msg("no share of %s", name);
    return NULL;
}

/* Sums and limits that hold whatever the scheme. */
static void assert_consistent(const struct balance_plan *plan)
{
    uint64_t before = 0;
    uint64_t after = 0;
    uint64_t moved = 0;

    for (size_t i = 0; i < plan->share_count; i++) {
        before += plan->shares[i].before;
        after += plan->shares[i].after;
    }
    for (size_t i = 0; i < plan->move_count; i++) {
        moved += plan->moves[i].units;
        assert_true(plan->moves[i].from != plan->moves[i].to);
        if (i > 0)
            assert_true(plan->moves[i].from > plan->moves[i - 1].from ||
                        plan->moves[i].to > plan->moves[i - 1].to);
    }
    assert_int_equal(before, plan->units);
    assert_int_equal(after, plan->units);
    assert_int_equal(moved, plan->moved);
    assert_int_equal(plan->excess, plan->moved - plan->minimum);
    assert_true(plan->moved >= plan->minimum);
}

static void what_one_leaves_behind_is_the_minimum(void **state)
{
    static const char *const schemes[] = {"slot-hrw", "ketama", "maglev", "classic"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        struct balance_options options = tool_options(schemes[i]);
        struct balance_image *before;
        struct balance_image *after;
        struct balance_plan plan;

        options.cap = BALANCE_CAP_OFF;
        before = tool_build(&options, abc, 4);
        after = tool_build(&options, dca, 3);
        plan = make(before, after);
        assert_consistent(&plan);
        assert_false(plan.is_sampled);
        assert_int_equal(plan.share_count, 4);
        assert_string_equal(plan.shares[0].name, "d");
        assert_string_equal(plan.shares[3].name, "b");
        assert_int_equal(plan.shares[3].after, 0);
        assert_int_equal(plan.minimum, plan.shares[3].before);
        if (i < 2) /* no other key moves at all */
            assert_int_equal(plan.excess, 0);
        balance_plan_finish(&plan);

        plan = make(after, before);
        assert_consistent(&plan);
        assert_int_equal(plan.minimum, share_of(&plan, "b")->after);
        balance_plan_finish(&plan);

        plan = make(after, after);
        assert_consistent(&plan);
        assert_int_equal(plan.moved, 0);
        assert_int_equal(plan.move_count, 0);
        balance_plan_finish(&plan);
        balance_destroy(before);
        balance_destroy(after);
    }
}

/* So many that they are not counted pair by pair; held to a count that is. */
static void any_number_of_members_is_counted(void **state)
{
    static char names[500][16];
    static uint32_t moved[500][500];
    struct balance_member members[500];
    struct balance_options options = tool_options(NULL);
    struct balance_image *before;
    struct balance_image *after;
    struct balance_plan plan;
    size_t at = 0;

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        snprintf(names[i], sizeof(names[i]), "web-%u", i);
        members[i] = (struct balance_member){names[i], 1, i};
    }
    before = tool_build(&options, members, 500);
    for (unsigned i = 0; i < 500; i++)
        members[i].weight = 1 + i % 3;
    after = tool_build(&options, members, 500);
    for (uint32_t slot = 0; slot < 65536; slot++)
        moved[balance_slot_owner(before, slot)][balance_slot_owner(after, slot)]++;
    plan = make(before, after);
    assert_consistent(&plan);
    for (unsigned from = 0; from < 500; from++) {
        for (unsigned to = 0; to < 500; to++) {
            if (from == to || moved[from][to] == 0)
                continue;
            assert_true(at < plan.move_count);
            assert_int_equal(plan.moves[at].from, from);
            assert_int_equal(plan.moves[at].to, to);
            assert_int_equal(plan.moves[at].units, moved[from][to]);
            at++;
        }
    }
    assert_int_equal(at, plan.move_count);
    balance_plan_finish(&plan);
    balance_destroy(before);
    balance_destroy(after);
}

static void nobody_is_someone_too(void **state)
{
    struct balance_options options = tool_options(NULL);
    struct balance_image *nobody = tool_build(&options, NULL, 0);
    struct balance_image *all = tool_build(&options, abc, 4);
    struct balance_plan plan = make(nobody, all);

    (void)state;
    assert_int_equal(plan.moved, 65536);
    assert_int_equal(plan.minimum, 65536);
    assert_int_equal(plan.move_count, 4);
    assert_int_equal(plan.moves[0].from, BALANCE_NONE);
    balance_plan_finish(&plan);
    plan = make(all, nobody);
    assert_int_equal(plan.minimum, 65536);
    assert_int_equal(plan.moves[3].to, BALANCE_NONE);
    balance_plan_finish(&plan);
    balance_destroy(nobody);
    balance_destroy(all);
}

static void more_slots_are_compared_by_the_finer(void **state)
{
    struct balance_options options = tool_options(NULL);
    struct balance_image *coarse = tool_build(&options, abc, 4);
    struct balance_image *fine;
    struct balance_plan plan;

    (void)state;
    options.slots = 262144;
    fine = tool_build(&options, abc, 4);
    plan = make(coarse, fine);
    assert_consistent(&plan);
    assert_false(plan.is_sampled);
    assert_int_equal(plan.units, 262144);
    assert_int_equal(plan.minimum, 0);
    assert_in_range(plan.moved, 262144 * 73 / 100, 262144 * 77 / 100);
    balance_plan_finish(&plan);
    balance_destroy(fine);
    balance_destroy(coarse);
}

static void another_scheme_or_key_is_estimated(void **state)
{
    struct balance_options options = tool_options(NULL);
    struct balance_image *before = tool_build(&options, abc, 4);
    struct balance_image *after;
    struct balance_plan plan;

    (void)state;
    options.key[0]++;
    after = tool_build(&options, abc, 4);
    plan = make(before, after);
    assert_consistent(&plan);
    assert_true(plan.is_sampled);
    assert_in_range(plan.moved, plan.units * 74 / 100, plan.units * 76 / 100);
    balance_plan_finish(&plan);
    balance_destroy(after);
    options = tool_options("maglev");
    after = tool_build(&options, abc, 4);
    plan = make(before, after);
    assert_true(plan.is_sampled);
    balance_plan_finish(&plan);
    balance_destroy(after);
    balance_destroy(before);
}

static void without_keys_there_is_nothing_to_plan(void **state)
{
    struct balance_options options = tool_options("p2c");
    struct balance_image *image = tool_build(&options, abc, 4);
    struct balance_plan plan;
    struct error why;

    (void)state;
    assert_int_equal(balance_plan_make(image, image, &plan, &why), -EINVAL);
    assert_string_equal(why.text, "p2c places nothing by key: there is nothing to move");
    balance_destroy(image);
}

/* The shares of the ring by its arcs are those of very many keys. */
static void the_shares_of_a_ring_are_its_arcs(void **state)
{
    struct balance_options options = tool_options("ketama");
    struct balance_image *image = tool_build(&options, abc, 4);
    struct balance_plan plan = make(image, image);
    unsigned counts[4] = {0};

    (void)state;
    assert_int_equal(plan.units, UINT64_C(1) << 32);
    for (uint64_t place = 0; place < UINT64_C(1) << 32; place += 65536)
        counts[balance_owner(image, place, 0, NULL)]++;
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(plan.shares[i].before >> 16, counts[i] - 200, counts[i] + 200);
    balance_plan_finish(&plan);
    balance_destroy(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_leaves_behind_is_the_minimum),
        cmocka_unit_test(any_number_of_members_is_counted),
        cmocka_unit_test(nobody_is_someone_too),
        cmocka_unit_test(more_slots_are_compared_by_the_finer),
        cmocka_unit_test(another_scheme_or_key_is_estimated),
        cmocka_unit_test(without_keys_there_is_nothing_to_plan),
        cmocka_unit_test(the_shares_of_a_ring_are_its_arcs),
    };

    return cmocka_run_group_tests_name("balance/balance_plan", tests, NULL, NULL);
}
