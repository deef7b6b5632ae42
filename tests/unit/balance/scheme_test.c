/* What holds for every scheme there is. */
#include "tool.h"

#define MEMBERS 12
#define HASHES  200

static char names[MEMBERS][16];

static int prepare(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MEMBERS; i++)
        snprintf(names[i], sizeof(names[i]), "Server %u", i + 1);
    return 0;
}

/* All, with weights from 0 to 3. */
static void list_members(struct balance_member *members)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        members[i] = (struct balance_member){names[i], (i * 7 + 1) % 4, i + 1};
}

static uint64_t next_hash(const struct balance_image *image, struct balance_load *load, unsigned i)
{
    char key[16];

    snprintf(key, sizeof(key), "%06u", i * 7919 % 1000000);
    return balance_hash(image, view_of(key), load);
}

static void the_order_holds_each_member_once_and_none_without_weight(void **state)
{
    struct balance_member members[MEMBERS];
    const char *scheme;

    (void)state;
    list_members(members);
    for (unsigned number = 0; (scheme = balance_scheme_name(number)); number++) {
        struct balance_options options = tool_options(scheme);
        struct balance_image *image = tool_build(&options, members, MEMBERS);
        uint32_t in_flight[MEMBERS] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8};
        struct balance_load load = {.total = 52, .in_flight = in_flight};

        assert_string_equal(balance_scheme(image), scheme);
        for (unsigned i = 0; i < HASHES; i++) {
            uint64_t hash = next_hash(image, &load, i);
            unsigned met = 0;

            for (unsigned rank = 0; rank < 9; rank++) {
                unsigned member = balance_owner(image, hash, rank, &load);

                assert_true(member < MEMBERS && members[member].weight > 0);
                assert_int_equal(met & (1u << member), 0);
                met |= 1u << member;
            }
            assert_int_equal(balance_owner(image, hash, 9, &load), BALANCE_NONE);
        }
        balance_destroy(image);
    }
}

static bool may_use(void *context, unsigned member)
{
    return *(const unsigned *)context >> member & 1;
}

static void picking_is_walking_the_order_to_the_first_that_may_be_used(void **state)
{
    struct balance_member members[MEMBERS];
    const char *scheme;

    (void)state;
    random_seed(6);
    list_members(members);
    for (unsigned number = 0; (scheme = balance_scheme_name(number)); number++) {
        struct balance_options options = tool_options(scheme);
        struct balance_image *image = tool_build(&options, members, MEMBERS);
        uint32_t in_flight[MEMBERS];
        struct balance_load load = {.total = 52, .in_flight = in_flight};

        for (unsigned i = 0; i < HASHES; i++) {
            uint64_t hash = next_hash(image, &load, i);
            unsigned half = (unsigned)random_next();
            unsigned usable = half & (unsigned)random_next();
            unsigned rank = 77;
            unsigned at = 0;
            unsigned walked;

            for (unsigned k = 0; k < MEMBERS; k++)
                in_flight[k] = (uint32_t)random_below(6);
            while ((walked = balance_owner(image, hash, at, &load)) != BALANCE_NONE &&
                   !may_use(&usable, walked))
                at++;
            assert_int_equal(balance_pick(image, hash, &load, may_use, &usable, &rank), walked);
            assert_int_equal(rank, walked == BALANCE_NONE ? 77 : at);
        }
        balance_destroy(image);
    }
}

static void the_order_of_the_list_does_not_matter(void **state)
{
    struct balance_member members[MEMBERS];
    const char *scheme;

    (void)state;
    random_seed(7);
    for (unsigned number = 0; (scheme = balance_scheme_name(number)); number++) {
        struct balance_options options = tool_options(scheme);
        struct balance_load load = {0};
        struct balance_load other_load = {0};
        struct balance_image *image;
        struct balance_image *other;

        list_members(members);
        image = tool_build(&options, members, MEMBERS);
        tool_shuffle(members, MEMBERS);
        other = tool_build(&options, members, MEMBERS);
        assert_true(balance_digest_equals(balance_digest(image), balance_digest(other)));
        for (unsigned i = 0; i < HASHES; i++) {
            uint64_t hash = next_hash(image, &load, i);

            assert_true(hash == next_hash(other, &other_load, i));
            for (unsigned rank = 0; rank < 9; rank++)
                assert_string_equal(
                    balance_name(image, balance_owner(image, hash, rank, &load)),
                    balance_name(other, balance_owner(other, hash, rank, &other_load)));
        }
        balance_destroy(other);
        balance_destroy(image);
    }
}

static void nobody_is_a_membership_too(void **state)
{
    const struct balance_member drained = {"Server 1", 0, 1};
    const char *scheme;

    (void)state;
    for (unsigned number = 0; (scheme = balance_scheme_name(number)); number++) {
        struct balance_options options = tool_options(scheme);

        for (size_t count = 0; count < 2; count++) {
            struct balance_image *image = tool_build(&options, &drained, count);
            struct balance_load load = {0};
            uint64_t hash = balance_hash(image, VIEW("key"), &load);
            unsigned usable = ~0u;

            assert_int_equal(balance_owner(image, hash, 0, &load), BALANCE_NONE);
            assert_int_equal(balance_owner(image, hash, 5, &load), BALANCE_NONE);
            assert_int_equal(balance_pick(image, hash, &load, may_use, &usable, NULL),
                             BALANCE_NONE);
            assert_int_equal(balance_slot_owner(image, 0), BALANCE_NONE);
            balance_destroy(image);
        }
    }
}

static void one_member_gets_everything(void **state)
{
    const struct balance_member members[] = {{"a", 0, 1}, {"b", 7, 2}};
    const char *scheme;

    (void)state;
    for (unsigned number = 0; (scheme = balance_scheme_name(number)); number++) {
        struct balance_options options = tool_options(scheme);
        struct balance_image *image = tool_build(&options, members, 2);
        struct balance_load load = {0};

        for (unsigned i = 0; i < HASHES; i++) {
            uint64_t hash = next_hash(image, &load, i);

            assert_int_equal(balance_owner(image, hash, 0, &load), 1);
            assert_int_equal(balance_owner(image, hash, 1, &load), BALANCE_NONE);
        }
        balance_destroy(image);
    }
}

static void a_slot_has_the_owner_that_its_keys_have(void **state)
{
    struct balance_member members[MEMBERS];
    const char *scheme;

    (void)state;
    list_members(members);
    for (unsigned number = 0; (scheme = balance_scheme_name(number)); number++) {
        struct balance_options options = tool_options(scheme);
        struct balance_image *image = tool_build(&options, members, MEMBERS);

        for (unsigned i = 0; i < HASHES && balance_slots(image); i++) {
            uint64_t hash = next_hash(image, NULL, i);
            uint32_t slot = balance_slot(image, hash);

            assert_true(slot < balance_slots(image));
            assert_int_equal(balance_slot_owner(image, slot), balance_owner(image, hash, 0, NULL));
        }
        assert_int_equal(balance_slot_owner(image, balance_slots(image)), BALANCE_NONE);
        balance_destroy(image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_holds_each_member_once_and_none_without_weight),
        cmocka_unit_test(picking_is_walking_the_order_to_the_first_that_may_be_used),
        cmocka_unit_test(the_order_of_the_list_does_not_matter),
        cmocka_unit_test(nobody_is_a_membership_too),
        cmocka_unit_test(one_member_gets_everything),
        cmocka_unit_test(a_slot_has_the_owner_that_its_keys_have),
    };

    return cmocka_run_group_tests_name("balance/scheme", tests, prepare, NULL);
}
