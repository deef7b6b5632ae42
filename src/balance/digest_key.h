/*
 * The hash of a key: XXH3-64 with the image's secret. On its own and inline because it is most of
 * what a look-up costs, and the library behind it is large to compile.
 */
#pragma once

#include "balance/balance.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Longer keys take a loop with registers to save, which the short ones shall not pay for. */
#define DIGEST_KEY_SHORT_MAX 16

uint64_t digest_key_long(const uint8_t *secret, struct view key);

static inline uint64_t digest_key(const uint8_t *secret, struct view key)
{
    if (UNLIKELY(key.size > DIGEST_KEY_SHORT_MAX))
        return digest_key_long(secret, key);
    return XXH3_64bits_withSecret(key.data, key.size, secret, BALANCE_SECRET_BYTES);
}
