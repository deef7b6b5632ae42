/*
 * What a member costs a slot in weighted rendezvous hashing: −ln(1 − h/2^64) / weight, the time
 * until its first arrival if arrivals came at the rate of its weight. The cheapest member wins, so
 * it wins with a probability of its share of all weights (Schindelhauer, Schomaker 2005). Integers
 * only: the same on every machine and compiler.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attribute.h"

#define SLOT_COST_LOG_ENTRIES 257
#define SLOT_COST_LN2         UINT64_C(199786072581291495) /* ln 2 · 2^58 */
#define SLOT_COST_BITS        48
#define SLOT_COST_POINT       42 /* bits behind the point, at weight 1 */
#define SLOT_COST_NONE        (UINT64_C(1) << SLOT_COST_BITS) /* above every cost */

extern const uint32_t slot_cost_log[SLOT_COST_LOG_ENTRIES];

/* The pair's hash: both halves of a 64 × 64-bit product, folded. `slot_hash` and `low`, `high` of
 * the name's hash are as digest.h makes them. */
static inline uint64_t slot_cost_pair(uint64_t slot_hash, uint64_t low, uint64_t high)
{
    unsigned __int128 product = (unsigned __int128)(slot_hash ^ low) * high;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * −ln(1 − h/2^64) · 2^58. With u = 2^64 − h = m · 2^−z, m in [1/2, 1): z · ln 2 − ln m, and −ln m
 * is v times a slow function of v = 1 − m, which 257 points and straight lines between them give
 * to a millionth.
 */
static inline uint64_t slot_cost_logarithm(uint64_t h)
{
    uint64_t u = 0 - h;

    if (UNLIKELY(u == 0))
        return 0;
    uint64_t z = (uint64_t)__builtin_clzll(u);
    uint64_t v = 0 - (u << z); /* 1 … 2^63 */
    uint64_t index = (v - 1) >> 55;
    uint64_t fraction = ((v - 1) >> 23) & 0xffffffff;
    uint64_t from = slot_cost_log[index];
    uint64_t slope = slot_cost_log[index + 1] - from;
    uint64_t factor = (UINT64_C(1) << 32) + from + (slope * fraction >> 32);
    return z * SLOT_COST_LN2 + (uint64_t)((unsigned __int128)v * factor >> 38);
}

/* The cost in 48 bits; `inverse` is 2^64/weight, rounded down. */
static inline uint64_t slot_cost(uint64_t h, uint64_t inverse)
{
    return (uint64_t)((unsigned __int128)slot_cost_logarithm(h) * inverse >> 64) >> 16;
}

/*
 * A bound for slot_cost_may_beat(): no pair that costs `cost` or less is above it. The logarithm is
 * never smaller than h/2^64 but for its rounding, which the 2^-20 covers.
 */
static inline uint64_t slot_cost_bound(uint64_t cost)
{
    return cost + (cost >> 20) + 2;
}

#define SLOT_COST_BOUND_SHIFT 22 /* from a hash to a cost at weight 1 */

/* Whether the pair may cost no more than what `bound` was made of: without branch or logarithm,
 * true for all that do and for few that do not. */
static inline bool slot_cost_may_beat(uint64_t h, uint64_t bound, uint32_t weight)
{
    return h >> SLOT_COST_BOUND_SHIFT <= bound * weight;
}
