/*
 * The bytes that every body of the benchmark consists of: the replica sends them, the client
 * expects them. No two stretches are alike, so that a byte lost, doubled or moved is seen.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Of the longest body. */
#define BODY_BYTES_MAX (1024 * 1024)

/* Fills `bytes` with the beginning of that text. */
static inline void body_fill(char *bytes, size_t size)
{
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = (char)('a' + state % 26);
    }
}
