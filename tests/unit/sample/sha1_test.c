#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sample/sha1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect_digest(struct view bytes, const char *expected)
{
    uint8_t digest[SHA1_BYTES];
    char text[2 * SHA1_BYTES + 1];

    sha1_of(bytes, digest);
    for (unsigned i = 0; i < SHA1_BYTES; i++)
        sprintf(text + 2 * i, "%02x", digest[i]);
    assert_string_equal(expected, text);
}

/* RFC 3174 7.3 and FIPS 180-4's examples. */
static void published_vectors_are_met(void **state)
{
    char *million = malloc(1000000);

    (void)state;
    memset(million, 'a', 1000000);
    expect_digest(VIEW(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect_digest(VIEW("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect_digest(VIEW("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                  "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    expect_digest((struct view){million, 1000000}, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    free(million);
}

/* Around the place where the length no longer fits into the last block; checked with sha1sum. */
static void lengths_around_a_block_are_right(void **state)
{
    char text[64];

    (void)state;
    memset(text, 'a', sizeof(text));
    expect_digest((struct view){text, 55}, "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    expect_digest((struct view){text, 56}, "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    expect_digest((struct view){text, 63}, "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
    expect_digest((struct view){text, 64}, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_are_met),
        cmocka_unit_test(lengths_around_a_block_are_right),
    };

    return cmocka_run_group_tests_name("sample/sha1", tests, NULL, NULL);
}
