/*
 * The hash of a key: XXH3-64 with the image's secret. On its own and inline because it is most of
 * what a look-up costs, and the library behind it is large to compile.
 */
#pragma once

#include "balance/balance.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline uint64_t digest_key(const uint8_t *secret, struct view key)
{
    return XXH3_64bits_withSecret(key.data, key.size, secret, BALANCE_SECRET_BYTES);
}
