#include "balance/classic_hash.h"
#include "balance/md5.h"
#include "tool.h"

static struct balance_options classic(const char *request_hash, const char *server_hash)
{
    struct balance_options options = tool_options("classic");

    options.request_hash = request_hash;
    options.server_hash = server_hash;
    return options;
}

/* The shares over all six-digit ids are those of the assignment's published analyses. */
static void the_shares_are_exact(void **state)
{
    static const struct {
        const char *request_hash;
        const char *server_hash;
        uint32_t first_id;
        double shares[3];
    } cases[] = {
        {"quadratic", "quadratic", 1, {84.4, 4.7, 10.9}},
        {"quadratic-2", "mixed", 1, {96.5, 1.8, 1.8}},
        {"linear", "linear", 1, {96.5, 1.8, 1.8}},
        {"modulo", "quadratic", 1, {89.3, 4.3, 6.4}},
        {"mix32", "fnv1a", 1, {36.7, 48.3, 15.0}},
        {"mix32", "fnv1a", 0, {19.9, 37.5, 42.5}},
        {"quadratic-172", "linear", 0, {96.9, 2.3, 0.8}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct balance_options options = classic(cases[i].request_hash, cases[i].server_hash);
        const struct balance_member members[] = {{"Server 1", 1, cases[i].first_id},
                                                 {"Server 2", 1, cases[i].first_id + 1},
                                                 {"Server 3", 1, cases[i].first_id + 2}};
        struct balance_image *image = tool_build(&options, members, 3);
        unsigned counts[3] = {0};

        for (unsigned id = 100000; id <= 999999; id++) {
            char key[8];

            snprintf(key, sizeof(key), "%u", id);
            counts[balance_owner(image, balance_hash(image, view_of(key), NULL), 0, NULL)]++;
        }
        for (unsigned k = 0; k < 3; k++) {
            double off = counts[k] / 9000.0 - cases[i].shares[k];

            if (off > 0.0501 || off < -0.0501)
                fail_msg("%s/%s: server %u has %.4f instead of %.1f", cases[i].request_hash,
                         cases[i].server_hash, k + 1, counts[k] / 9000.0, cases[i].shares[k]);
        }
        balance_destroy(image);
    }
}

static void a_request_on_a_virtual_server_is_its_own(void **state)
{
    struct balance_options options = classic(NULL, NULL);
    const struct balance_member one = {"Server 1", 1, 1};
    struct balance_image *image = tool_build(&options, &one, 1);

    (void)state;
    /* Φ(1, j) = 1 + j² + 2j + 25: 26, 29, 34, 41, 50, 61, 74, 89, 106 */
    assert_int_equal(balance_virtual(image, 26), 0);
    assert_int_equal(balance_virtual(image, 27), 1);
    assert_int_equal(balance_virtual(image, 29), 1);
    assert_int_equal(balance_virtual(image, 90), 8);
    assert_int_equal(balance_virtual(image, 106), 8);
    assert_int_equal(balance_virtual(image, 107), 0); /* round the end */
    assert_int_equal(balance_virtual(image, 511), 0);
    assert_int_equal(balance_virtual(image, 0), 0);
    balance_destroy(image);
}

static void a_taken_slot_sends_the_later_id_on(void **state)
{
    struct balance_options options = classic("modulo", "linear");
    const struct balance_member members[] = {{"late", 1, 4}, {"early", 1, 1}};
    struct balance_image *image;

    (void)state;
    /* Φ(i, j) = i + 3j + 25: id 1 takes 26, 29, … 50, id 4 wants 29, 32, … 53. */
    image = tool_build(&options, members, 2);
    assert_string_equal(balance_name(image, balance_slot_owner(image, 29)), "early");
    assert_string_equal(balance_name(image, balance_slot_owner(image, 30)), "late");
    assert_int_equal(balance_virtual(image, 30), 0);
    assert_int_equal(balance_virtual(image, 53), 8);
    balance_destroy(image);
}

/* What a removal moves with the others' ids kept, and with the ids closing up. */
static void kept_ids_move_fewer_keys(void **state)
{
    unsigned kept_moves = 0;
    unsigned closed_moves = 0;

    (void)state;
    random_seed(19);
    for (unsigned i = 0; i < tool_times(500, 5000); i++) {
        static const char *const functions[] = {"quadratic", "linear", "mixed", "fnv1a", "md5"};
        struct balance_options options = classic("mix32", functions[i % ARRAY_SIZE(functions)]);
        struct balance_member members[20];
        static char names[20][8];
        uint32_t count = 2 + (uint32_t)random_below(18);
        uint32_t gone = (uint32_t)random_below(count);
        struct balance_image *images[3];

        for (uint32_t k = 0; k < count; k++) {
            snprintf(names[k], sizeof(names[k]), "S%u", k);
            members[k] = (struct balance_member){names[k], 1, k + 1};
        }
        images[0] = tool_build(&options, members, count);
        memmove(members + gone, members + gone + 1, (count - gone - 1) * sizeof(*members));
        images[1] = tool_build(&options, members, count - 1);
        for (uint32_t k = 0; k < count - 1; k++)
            members[k].id = k + 1;
        images[2] = tool_build(&options, members, count - 1);
        for (uint32_t slot = 0; slot < 512; slot++) {
            const char *owners[3];

            for (unsigned k = 0; k < 3; k++)
                owners[k] = balance_name(images[k], balance_slot_owner(images[k], slot));
            kept_moves += strcmp(owners[0], owners[1]) != 0;
            closed_moves += strcmp(owners[0], owners[2]) != 0;
        }
        for (unsigned k = 0; k < 3; k++)
            balance_destroy(images[k]);
    }
    print_message("classic, a removal moves %.1f slots with kept ids, %.1f with new ones\n",
                  (double)kept_moves / tool_times(500, 5000),
                  (double)closed_moves / tool_times(500, 5000));
    assert_true(kept_moves * 2 < closed_moves);
}

static void a_full_ring_is_an_error_and_an_exactly_full_one_is_not(void **state)
{
    struct balance_options options = classic(NULL, NULL);
    const struct balance_member members[] = {
        {"a", 1, 1}, {"b", 1, 2}, {"c", 1, 3}, {"drained", 0, 4}};
    struct balance_image *image = NULL;
    struct error why;

    (void)state;
    options.slots = 9;
    options.virtual_servers = 3;
    image = tool_build(&options, members, 4);
    for (uint32_t slot = 0; slot < 9; slot++)
        assert_true(balance_slot_owner(image, slot) < 3);
    balance_destroy(image);
    options.slots = 8;
    assert_int_equal(balance_build(&options, members, 4, &image, &why), -ENOSPC);
    assert_string_equal(why.text,
                        "the ring of 8 slots is full: 3 members of 3 virtual servers need 9");
}

static void options_that_make_no_ring_are_refused(void **state)
{
    static const struct {
        uint32_t slots;
        uint32_t virtual_servers;
        const char *request_hash;
        const char *server_hash;
        const char *sentence;
    } cases[] = {
        {1, 0, NULL, NULL, "slots is 1: expected 2 to 1048576"},
        {1048577, 0, NULL, NULL, "slots is 1048577: expected 2 to 1048576"},
        {8, 9, NULL, NULL, "virtual is 9: expected 1 to 8, the number of slots"},
        {0, 0, "cubic", NULL, "there is no request_hash \"cubic\""},
        {0, 0, NULL, "cubic", "there is no server_hash \"cubic\""},
    };
    const struct balance_member twins[] = {{"a", 1, 5}, {"b", 1, 5}};
    struct balance_options options;
    struct balance_image *image = NULL;
    struct error why;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        options = classic(cases[i].request_hash, cases[i].server_hash);
        options.slots = cases[i].slots;
        options.virtual_servers = cases[i].virtual_servers;
        assert_int_equal(balance_build(&options, twins, 1, &image, &why), -EINVAL);
        assert_string_equal(why.text, cases[i].sentence);
    }
    options = classic(NULL, NULL);
    assert_int_equal(balance_build(&options, twins, 2, &image, &why), -EEXIST);
    assert_string_equal(why.text, "two members have the id 5");
    assert_int_equal(balance_check(&options, &why), 0);
    assert_int_equal(options.slots, 512);
    assert_int_equal(options.virtual_servers, 9);
}

static uint32_t request(const char *function, const char *key, uint32_t slots)
{
    return classic_hash_request((unsigned)classic_hash_find_request(function), view_of(key), slots);
}

static uint32_t server(const char *function, uint32_t id, uint32_t number, uint32_t slots)
{
    return classic_hash_server((unsigned)classic_hash_find_server(function), id, number, slots);
}

/* The expected numbers are Python's, whose integers have no end. */
static void the_functions_are_exact_for_numbers_of_any_size(void **state)
{
    (void)state;
    assert_int_equal(request("quadratic", "132574", 512), 81);
    assert_int_equal(request("quadratic", "18446744073709551615", 1000003), 3042);
    assert_int_equal(request("quadratic-172", "18446744073709551615", 1000003), 3197);
    assert_int_equal(request("quadratic-2", "18446744073709551615", 1000003), 954015);
    assert_int_equal(request("linear", "18446744073709551615", 1000003), 52072);
    assert_int_equal(request("multiply", "18446744073709551615", 1000003), 670048);
    assert_int_equal(request("mix32", "18446744073709551615", 1000003), 439840);
    assert_int_equal(request("modulo", "18446744073709551615", 1000003), 350686);
    assert_int_equal(request("fnv1a", "123456", 512), 170);
    assert_int_equal(request("md5", "123456", 1000003), 349106);
    assert_int_equal(server("quadratic", UINT32_MAX, 1048575, 1000003), 771142);
    assert_int_equal(server("linear", UINT32_MAX, 1048575, 1000003), 100151);
    assert_int_equal(server("mixed", UINT32_MAX, 1048575, 1000003), 467221);
    assert_int_equal(server("multiply", UINT32_MAX, 1048575, 1000003), 7914);
    assert_int_equal(server("fnv1a", 3, 8, 512), 368);
    assert_int_equal(server("md5", 3, 8, 512), 46);
}

static void what_is_no_number_is_hashed_as_text(void **state)
{
    (void)state;
    assert_int_equal(request("quadratic", "abc", 512), 267);
    assert_int_equal(request("quadratic", "18446744073709551616", 512), 173);
    assert_int_equal(request("md5", "abc", 512), 370);
    assert_int_equal(request("modulo", "", 512), 2166136261u % 512);
    assert_int_equal(request("modulo", "-1", 512), request("fnv1a", "-1", 512));
}

static void md5_is_the_one_of_the_rfc(void **state)
{
    static const struct {
        const char *text;
        const char *sum;
    } cases[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t sum[MD5_BYTES];
        char text[2 * MD5_BYTES + 1];

        md5_sum(view_of(cases[i].text), sum);
        for (unsigned k = 0; k < MD5_BYTES; k++)
            snprintf(text + 2 * k, 3, "%02x", sum[k]);
        assert_string_equal(text, cases[i].sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shares_are_exact),
        cmocka_unit_test(a_request_on_a_virtual_server_is_its_own),
        cmocka_unit_test(a_taken_slot_sends_the_later_id_on),
        cmocka_unit_test(kept_ids_move_fewer_keys),
        cmocka_unit_test(a_full_ring_is_an_error_and_an_exactly_full_one_is_not),
        cmocka_unit_test(options_that_make_no_ring_are_refused),
        cmocka_unit_test(the_functions_are_exact_for_numbers_of_any_size),
        cmocka_unit_test(what_is_no_number_is_hashed_as_text),
        cmocka_unit_test(md5_is_the_one_of_the_rfc),
    };

    return cmocka_run_group_tests_name("balance/classic", tests, NULL, NULL);
}
