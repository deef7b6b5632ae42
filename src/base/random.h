/*
 * Numbers nobody can guess cheaply: seeded from the kernel at first use, anew in a forked process.
 * Not for keys or tokens.
 */
#pragma once

#include <stdint.h>

uint64_t random_next(void);

/* Evenly among 0 … limit−1; limit ≥ 1. */
uint64_t random_below(uint64_t limit);

/* From now on a repeatable sequence, in this process. */
void random_seed(uint64_t seed);
