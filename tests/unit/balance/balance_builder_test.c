#include "balance/balance_builder.h"
#include "tool.h"

#define MEMBERS 60

static char names[MEMBERS][16];

static int prepare(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MEMBERS; i++)
        snprintf(names[i], sizeof(names[i]), "Server %u", i + 1);
    return 0;
}

static struct balance_builder *create(const struct balance_options *options)
{
    struct balance_builder *builder = NULL;
    struct error why;

    if (balance_builder_create(options, &builder, &why) < 0)
        fail_msg("%s", why.text);
    return builder;
}

static void set(struct balance_builder *builder, const struct balance_member *members, size_t count)
{
    struct error why;

    if (balance_builder_set(builder, members, count, &why) < 0)
        fail_msg("%s", why.text);
}

static size_t draw_members(struct balance_member *members)
{
    size_t count = 0;

    for (unsigned i = 0; i < MEMBERS; i++) {
        if (random_below(4))
            members[count++] = (struct balance_member){names[i], (uint32_t)random_below(4), i + 1};
    }
    tool_shuffle(members, count);
    return count;
}

/* Whatever was there before, and whatever was only asked for. */
static void an_image_is_the_one_a_build_makes(void **state)
{
    struct balance_member members[MEMBERS];
    const char *scheme;

    (void)state;
    random_seed(8);
    for (unsigned number = 0; (scheme = balance_scheme_name(number)); number++) {
        struct balance_options options = tool_options(scheme);
        struct balance_builder *builder;

        if (number == 0)
            options.slots = 1024;
        if (options.scheme && strcmp(scheme, "classic") == 0)
            options.slots = 4096;
        builder = create(&options);
        assert_null(balance_builder_previous(builder));
        for (unsigned i = 0; i < 40; i++) {
            size_t count = draw_members(members);
            struct balance_image *built = tool_build(&options, members, count);

            for (unsigned change = 0; change < 2; change++) {
                struct balance_member other[MEMBERS];
                size_t others = draw_members(other);
                struct balance_plan plan = {0};
                struct error why;

                if (balance_is_keyed(built))
                    assert_int_equal(balance_builder_plan(builder, other, others, &plan, &why), 0);
                balance_plan_finish(&plan);
            }
            set(builder, members, count);
            assert_int_equal(balance_image_bytes(balance_builder_image(builder)),
                             balance_image_bytes(built));
            assert_memory_equal(balance_builder_image(builder), built, balance_image_bytes(built));
            balance_destroy(built);
        }
        balance_builder_destroy(builder);
    }
}

static void a_plan_is_what_the_change_then_moves(void **state)
{
    struct balance_options options = tool_options(NULL);
    struct balance_member members[MEMBERS];
    struct balance_builder *builder;
    size_t count;

    (void)state;
    random_seed(9);
    options.slots = 2048;
    builder = create(&options);
    count = draw_members(members);
    set(builder, members, count);
    for (unsigned i = 0; i < tool_times(300, 3000); i++) {
        struct balance_plan plan;
        struct balance_plan made;
        struct error why;
        uint32_t kind = (uint32_t)random_below(5);
        size_t at;

        if (kind == 0 || count < 3)
            count = draw_members(members);
        for (uint32_t k = 0; k < kind && count > 3;
             k++) { /* only removals: nothing is ranked anew */
            at = random_below(count);
            members[at] = members[--count];
        }
        at = random_below(count);
        if (kind < 2)
            members[at].weight = (uint32_t)random_below(4);
        assert_int_equal(balance_builder_plan(builder, members, count, &plan, &why), 0);
        set(builder, members, count);
        assert_int_equal(balance_plan_make(balance_builder_previous(builder),
                                           balance_builder_image(builder), &made, &why),
                         0);
        assert_int_equal(plan.units, 2048);
        assert_int_equal(plan.moved, made.moved);
        assert_int_equal(plan.minimum, made.minimum);
        assert_int_equal(plan.excess, plan.moved - plan.minimum);
        assert_int_equal(plan.share_count, made.share_count);
        for (size_t k = 0; k < plan.share_count; k++) {
            assert_int_equal(plan.shares[k].before, made.shares[k].before);
            assert_int_equal(plan.shares[k].after, made.shares[k].after);
        }
        assert_int_equal(plan.move_count, made.move_count);
        for (size_t k = 0; k < plan.move_count; k++)
            assert_memory_equal(&plan.moves[k], &made.moves[k], sizeof(plan.moves[k]));
        balance_plan_finish(&plan);
        balance_plan_finish(&made);
    }
    balance_builder_destroy(builder);
}

static void what_cannot_be_set_changes_nothing(void **state)
{
    struct balance_options options = tool_options(NULL);
    const struct balance_member members[] = {{"a", 1, 1}, {"b", 1, 2}, {"a", 1, 3}};
    struct balance_builder *builder = NULL;
    struct balance_digest digest;
    struct balance_plan plan;
    struct error why;

    (void)state;
    options.slots = 3;
    assert_int_equal(balance_builder_create(&options, &builder, &why), -EINVAL);
    assert_null(builder);
    options.slots = 256;
    builder = create(&options);
    set(builder, members, 2);
    digest = balance_digest(balance_builder_image(builder));
    assert_int_equal(balance_builder_set(builder, members, 3, &why), -EEXIST);
    assert_int_equal(balance_builder_plan(builder, members, 3, &plan, &why), -EEXIST);
    assert_true(balance_digest_equals(balance_digest(balance_builder_image(builder)), digest));
    balance_builder_destroy(builder);
    balance_builder_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_is_the_one_a_build_makes),
        cmocka_unit_test(a_plan_is_what_the_change_then_moves),
        cmocka_unit_test(what_cannot_be_set_changes_nothing),
    };

    return cmocka_run_group_tests_name("balance/balance_builder", tests, prepare, NULL);
}
