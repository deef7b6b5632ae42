/*
 * Orders of members on a ring: from a start on, each member where it is met first. A ring is an
 * array of member indexes without holes.
 */
#pragma once

#include "balance/balance.h"

struct clockwise {
    const uint16_t *owners;
    uint32_t size;
    uint32_t start;
};

/* The member met as number `rank`, or BALANCE_NONE after a whole turn. */
unsigned clockwise_owner(const struct clockwise *ring, unsigned rank);

/* As balance_pick(). */
unsigned clockwise_pick(const struct clockwise *ring, balance_may_use_fn may_use, void *context,
                        unsigned *rank);
