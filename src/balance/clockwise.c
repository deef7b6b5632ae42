#include "balance/clockwise.h"

#define WORD_BITS 64

static bool accept_rank(void *context, unsigned member)
{
    unsigned *rank = context;

    (void)member;
    return (*rank)-- == 0;
}

unsigned clockwise_owner(const struct clockwise *ring, unsigned rank)
{
    unsigned unused;

    if (ring->size == 0)
        return BALANCE_NONE;
    if (rank == 0)
        return ring->owners[ring->start];
    return clockwise_pick(ring, accept_rank, &rank, &unused);
}

unsigned clockwise_pick(const struct clockwise *ring, balance_may_use_fn may_use, void *context,
                        unsigned *rank)
{
    uint64_t met[BALANCE_MEMBERS_MAX / WORD_BITS] = {0};
    uint32_t at = ring->start;
    unsigned order = 0;

    for (uint32_t i = 0; i < ring->size; i++) {
        unsigned member = ring->owners[at];
        uint64_t bit = UINT64_C(1) << member % WORD_BITS;

        at = at + 1 == ring->size ? 0 : at + 1;
        if (met[member / WORD_BITS] & bit)
            continue;
        met[member / WORD_BITS] |= bit;
        if (may_use(context, member)) {
            *rank = order;
            return member;
        }
        order++;
    }
    return BALANCE_NONE;
}
