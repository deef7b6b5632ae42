#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "balance/balance.h"

static const struct balance_member three[] = {
    {"Server 1", 1, 1},
    {"Server 2", 1, 2},
    {"Server 3", 1, 3},
};

static struct balance_image *build(const struct balance_options *options,
                                   const struct balance_member *members, size_t count)
{
    struct balance_image *image = NULL;
    struct error why = {0};

    if (balance_build(options, members, count, &image, &why) < 0)
        fail_msg("%s", why.text);
    return image;
}

static void an_image_works_where_it_was_copied(void **state)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_image *image = build(&options, three, 3);
    size_t size = balance_image_bytes(image);
    void *copy = aligned_alloc(BALANCE_ALIGNMENT, size);
    const struct balance_image *moved;

    (void)state;
    assert_int_equal(size % BALANCE_ALIGNMENT, 0);
    memcpy(copy, image, size);
    memset(image, 0xee, size);
    balance_destroy(image);
    moved = balance_image_at(copy, size);
    assert_non_null(moved);
    assert_int_equal(balance_count(moved), 3);
    assert_string_equal(balance_name(moved, 2), "Server 3");
    assert_null(balance_name(moved, 3));
    assert_string_equal(balance_scheme(moved), "slot-hrw");
    assert_true(balance_owner(moved, balance_hash(moved, VIEW("100000"), NULL), 0, NULL) < 3);
    free(copy);
}

static void a_block_that_is_no_image_is_refused(void **state)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_image *image = build(&options, three, 3);

    (void)state;
    assert_null(balance_image_at(image, 64));
    assert_null(balance_image_at(image, balance_image_bytes(image) - 1));
    assert_null(balance_image_at((char *)image + 1, balance_image_bytes(image)));
    image->magic ^= 1;
    assert_null(balance_image_at(image, balance_image_bytes(image)));
    balance_destroy(image);
}

static void every_member_stands_in_the_order_once(void **state)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_member members[9];
    char names[9][8];
    struct balance_image *image;

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        snprintf(names[i], sizeof(names[i]), "web-%u", i);
        members[i] = (struct balance_member){names[i], i == 4 ? 0 : i + 1, i};
    }
    image = build(&options, members, 9);
    for (uint64_t hash = 0; hash < UINT64_MAX - (UINT64_C(1) << 58); hash += UINT64_C(1) << 56) {
        unsigned seen = 0;

        for (unsigned rank = 0; rank < 8; rank++)
            seen |= 1u << balance_owner(image, hash, rank, NULL);
        assert_int_equal(seen, 0x1ff & ~(1 << 4));
        assert_int_equal(balance_owner(image, hash, 8, NULL), BALANCE_NONE);
        assert_int_equal(balance_owner(image, hash, 9, NULL), BALANCE_NONE);
    }
    balance_destroy(image);
}

static void no_members_own_nothing(void **state)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_member drained = {"Server 1", 0, 1};

    (void)state;
    for (size_t count = 0; count < 2; count++) {
        struct balance_image *image = build(&options, &drained, count);
        uint64_t hash = balance_hash(image, VIEW("key"), NULL);

        for (unsigned rank = 0; rank < 6; rank++)
            assert_int_equal(balance_owner(image, hash, rank, NULL), BALANCE_NONE);
        balance_destroy(image);
    }
}

struct usable {
    uint32_t members; /* bits */
};

static bool may_use(void *context, unsigned member)
{
    return ((struct usable *)context)->members >> member & 1;
}

static void picking_agrees_with_walking_the_ranks(void **state)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_member members[12];
    char names[12][8];
    struct balance_image *image;

    (void)state;
    options.slots = 256;
    for (unsigned i = 0; i < 12; i++) {
        snprintf(names[i], sizeof(names[i]), "web-%u", i);
        members[i] = (struct balance_member){names[i], i % 4, i};
    }
    image = build(&options, members, 12);
    for (uint32_t i = 0; i < 4096; i++) {
        uint64_t hash = (uint64_t)(i & 255) << 56;
        struct usable usable = {i};
        unsigned rank = 0;
        unsigned picked = balance_pick(image, hash, NULL, may_use, &usable, &rank);
        unsigned walked = BALANCE_NONE;
        unsigned at = 0;

        for (; at < 12; at++) {
            walked = balance_owner(image, hash, at, NULL);
            if (walked == BALANCE_NONE || may_use(&usable, walked))
                break;
        }
        assert_int_equal(picked, walked);
        if (picked != BALANCE_NONE)
            assert_int_equal(rank, at);
    }
    balance_destroy(image);
}

static void what_cannot_be_built_is_refused_with_a_sentence(void **state)
{
    static char long_name[BALANCE_NAME_BYTES_MAX + 2];
    const struct {
        struct balance_options options;
        struct balance_member members[2];
        int code;
        const char *sentence;
    } cases[] = {
        {{.scheme = "best"}, {{"a", 1, 1}, {"b", 1, 2}}, -EINVAL, "there is no scheme \"best\""},
        {{.slots = 300},
         {{"a", 1, 1}, {"b", 1, 2}},
         -EINVAL,
         "slots is 300: expected a power of two from 256 to 1048576"},
        {{.slots = 2097152},
         {{"a", 1, 1}, {"b", 1, 2}},
         -EINVAL,
         "slots is 2097152: expected a power of two from 256 to 1048576"},
        {{.cap = 1000001},
         {{"a", 1, 1}, {"b", 1, 2}},
         -EINVAL,
         "cap is 10000.01 %: expected at most 10000 % or off"},
        {{.hash_version = 9}, {{"a", 1, 1}, {"b", 1, 2}}, -EINVAL, "hash-version is 9: expected 1"},
        {{0}, {{"a", 1, 1}, {"a", 1, 2}}, -EEXIST, "a is listed twice"},
        {{0}, {{"a", 1, 1}, {"", 1, 2}}, -EINVAL, "member 1 has no name"},
        {{0}, {{"a", 1, 1}, {NULL, 1, 2}}, -EINVAL, "member 1 has no name"},
        {{0},
         {{"a", 1, 1}, {"b", 65536, 2}},
         -EINVAL,
         "the weight of b is 65536: expected 0 to 65535"},
        {{0},
         {{"a", 1, 1}, {long_name, 1, 2}},
         -E2BIG,
         "the name of member 1 is longer than 255 bytes"},
    };

    (void)state;
    memset(long_name, 'x', BALANCE_NAME_BYTES_MAX + 1);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct balance_image *image = NULL;
        struct error why = {0};

        assert_int_equal(balance_build(&cases[i].options, cases[i].members, 2, &image, &why),
                         cases[i].code);
        assert_string_equal(why.text, cases[i].sentence);
        assert_null(image);
    }
}

static void the_digest_knows_what_decides_and_nothing_else(void **state)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_image *image = build(&options, three, 3);
    struct balance_digest digest = balance_digest(image);
    struct balance_member other[4];
    char text[BALANCE_DIGEST_TEXT_BYTES];

    (void)state;
    balance_destroy(image);
    balance_digest_text(digest, text);
    assert_int_equal(strlen(text), 32);
    for (unsigned change = 0; change < 9; change++) {
        memcpy(other, three, sizeof(three));
        other[3] = (struct balance_member){"Server 4", change == 1 ? 0 : 1, 4};
        options = BALANCE_OPTIONS;
        if (change == 0) { /* the order, and ids that this scheme does not use */
            other[0] = three[2];
            other[2] = three[0];
            other[1].id = 77;
        }
        if (change == 2)
            other[1].name = "server 2";
        if (change == 3)
            other[1].weight = 2;
        if (change == 4)
            options.slots = 512;
        if (change == 5)
            options.key[15]++;
        if (change == 6)
            options.cap = 501;
        if (change == 7)
            options.cap = BALANCE_CAP_OFF;
        image = build(&options, other, change == 1 || change == 8 ? 4 : 3);
        assert_true(balance_digest_equals(balance_digest(image), digest) == (change < 2));
        balance_destroy(image);
    }
}

static void a_member_over_its_bound_is_known(void **state)
{
    struct balance_options options = BALANCE_OPTIONS;
    const struct balance_member members[] = {{"a", 1, 1}, {"b", 3, 2}};
    struct balance_image *image = build(&options, members, 2);
    uint32_t in_flight[] = {31, 93};
    struct balance_load load = {.total = 99, .in_flight = in_flight};

    (void)state;
    /* 1.25 · 100 · 1/4 = 31.25 -> 32 and 1.25 · 100 · 3/4 = 93.75 -> 94 */
    assert_false(balance_is_over_bound(image, &load, 0, 125, 16));
    assert_false(balance_is_over_bound(image, &load, 1, 125, 16));
    in_flight[0]++;
    in_flight[1]++;
    assert_true(balance_is_over_bound(image, &load, 0, 125, 16));
    assert_true(balance_is_over_bound(image, &load, 1, 125, 16));
    assert_false(balance_is_over_bound(image, &load, 0, 125, 33));
    assert_false(balance_is_over_bound(image, &load, 0, BALANCE_BOUND_OFF, 16));
    load.in_flight = NULL;
    assert_false(balance_is_over_bound(image, &load, 0, 125, 16));
    balance_destroy(image);
}

static void more_members_are_advised_more_slots(void **state)
{
    (void)state;
    assert_int_equal(balance_slots_advised(3), 65536);
    assert_int_equal(balance_slots_advised(100), 65536);
    assert_int_equal(balance_slots_advised(101), 262144);
    assert_int_equal(balance_slots_advised(300), 262144);
    assert_int_equal(balance_slots_advised(301), 1048576);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_works_where_it_was_copied),
        cmocka_unit_test(a_block_that_is_no_image_is_refused),
        cmocka_unit_test(every_member_stands_in_the_order_once),
        cmocka_unit_test(no_members_own_nothing),
        cmocka_unit_test(picking_agrees_with_walking_the_ranks),
        cmocka_unit_test(what_cannot_be_built_is_refused_with_a_sentence),
        cmocka_unit_test(the_digest_knows_what_decides_and_nothing_else),
        cmocka_unit_test(more_members_are_advised_more_slots),
        cmocka_unit_test(a_member_over_its_bound_is_known),
    };

    return cmocka_run_group_tests_name("balance/balance", tests, NULL, NULL);
}
