#include "balance/crc32.h"
#include "tool.h"

/*
 * What nginx 1.22.1 answered to 10,000 keys with
 *     hash $arg_k consistent; server 127.0.0.1:9101; server 127.0.0.1:9102 weight=2;
 *     server 127.0.0.1:9103; server 127.0.0.2:9101 weight=3; server 127.0.0.3;
 * as one digit each, the number of the server: the first hundred, and the CRC-32 of them all.
 */
static const char nginx_owners[] = "300331431321131132143413233234332323322423341132031134313031342"
                                   "31443422332011113142331313240234"
                                   "10021";
#define NGINX_KEYS  10000
#define NGINX_CRC32 0xb25e7144

static void every_key_is_where_nginx_has_it(void **state)
{
    const struct balance_member members[] = {{"127.0.0.1:9101", 1, 0},
                                             {"127.0.0.1:9102", 2, 0},
                                             {"127.0.0.1:9103", 1, 0},
                                             {"127.0.0.2:9101", 3, 0},
                                             {"127.0.0.3", 1, 0}};
    struct balance_options options = tool_options("ketama");
    struct balance_image *image = tool_build(&options, members, ARRAY_SIZE(members));
    static char owners[NGINX_KEYS + 1];

    (void)state;
    for (unsigned i = 0; i < NGINX_KEYS; i++) {
        char key[16];

        if (i % 2)
            snprintf(key, sizeof(key), "key-%u", i);
        else
            snprintf(key, sizeof(key), "%06u", i * 37 % 1000000);
        owners[i] =
            (char)('0' + balance_owner(image, balance_hash(image, view_of(key), NULL), 0, NULL));
    }
    assert_memory_equal(owners, nginx_owners, sizeof(nginx_owners) - 1);
    assert_int_equal(crc32_add(0, view_of(owners)), NGINX_CRC32);
    balance_destroy(image);
}

static void the_last_point_of_the_ring_is_before_the_first(void **state)
{
    const struct balance_member members[] = {{"a:1", 1, 0}, {"b:1", 1, 0}};
    struct balance_options options = tool_options("ketama");
    struct balance_image *image = tool_build(&options, members, 2);

    (void)state;
    assert_int_equal(balance_owner(image, UINT32_MAX, 0, NULL), balance_owner(image, 0, 0, NULL));
    balance_destroy(image);
}

static void too_many_points_are_refused(void **state)
{
    const struct balance_member members[] = {{"a", 26214, 0}, {"b", 1, 0}};
    struct balance_options options = tool_options("ketama");
    struct balance_image *image = NULL;
    struct error why;

    (void)state;
    assert_int_equal(balance_build(&options, members, 2, &image, &why), -E2BIG);
    assert_string_equal(why.text, "the weights sum to 26215: ketama has room for 26214");
}

static void the_checksum_is_the_one_everybody_knows(void **state)
{
    (void)state;
    assert_int_equal(crc32_add(0, VIEW("123456789")), 0xcbf43926);
    assert_int_equal(crc32_add(crc32_add(0, VIEW("12345")), VIEW("6789")), 0xcbf43926);
    assert_int_equal(crc32_add(0, VIEW("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_where_nginx_has_it),
        cmocka_unit_test(the_last_point_of_the_ring_is_before_the_first),
        cmocka_unit_test(too_many_points_are_refused),
        cmocka_unit_test(the_checksum_is_the_one_everybody_knows),
    };

    return cmocka_run_group_tests_name("balance/ketama", tests, NULL, NULL);
}
