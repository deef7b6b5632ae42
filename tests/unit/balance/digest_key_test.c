#include "balance/digest_key.h"
#include "balance/digest.h"
#include "tool.h"

/* The short way and the long one are one function: at every length, and nothing past it is read. */
static void an_image_hashes_keys_of_any_length(void **state)
{
    const struct balance_options options = BALANCE_OPTIONS;
    const struct balance_member member = {"a", 1, 0};
    struct balance_image *image = tool_build(&options, &member, 1);
    uint8_t secret[BALANCE_SECRET_BYTES];
    char bytes[400];

    (void)state;
    random_seed(25);
    digest_secret(options.key, secret);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)random_below(256);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        char *key = malloc(size + (size == 0)); /* a sanitizer sees its end */

        assert_non_null(key);
        memcpy(key, bytes, size);
        assert_true(balance_hash(image, (struct view){key, size}, NULL) ==
                    XXH3_64bits_withSecret(key, size, secret, sizeof(secret)));
        free(key);
    }
    balance_destroy(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_hashes_keys_of_any_length),
    };

    return cmocka_run_group_tests_name("balance/digest_key", tests, NULL, NULL);
}
