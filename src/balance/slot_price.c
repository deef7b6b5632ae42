/* Short loops over every slot there is: several rounds at once are 3 % of a change. */
#ifndef __clang__
#pragma GCC optimize("unroll-loops")
#endif

#include "balance/slot_price.h"

#include "balance/slot_cost.h"
#include "balance/slot_list.h"

unsigned slot_price_all(uint32_t start, uint32_t size, uint32_t *slots)
{
    for (uint32_t i = 0; i < size; i++)
        slots[i] = start + i;
    return size;
}

unsigned slot_price_sift(const struct slot_table *table, uint32_t start, uint32_t size,
                         const struct balance_entry *member, const int16_t *bounds, size_t stride,
                         uint32_t *slots)
{
    const uint64_t *hashes = table->hashes + start;
    const struct balance_entry entry = *member;
    unsigned count = 0;

    for (uint32_t i = 0; i < size; i++) {
        uint64_t h = slot_cost_pair(hashes[i], entry.low, entry.high);
        uint64_t most = slot_list_most(bounds[i * stride]);

        slots[count] = start + i;
        count += slot_cost_may_beat(h, slot_cost_bound(most), entry.weight);
    }
    return count;
}

/* Step by step, since a processor overlaps what is short. */
void slot_price_codes(const struct slot_table *table, const uint32_t *slots, unsigned count,
                      const struct balance_entry *member, int16_t *codes)
{
    const struct balance_entry entry = *member;
    const uint64_t *hashes = table->hashes;
    uint64_t costs[SLOT_PRICE_MAX];

    for (unsigned i = 0; i < count; i++)
        costs[i] = slot_cost_pair(hashes[slots[i]], entry.low, entry.high);
    for (unsigned i = 0; i < count; i++)
        costs[i] = slot_cost(costs[i], entry.inverse);
    for (unsigned i = 0; i < count; i++)
        codes[i] = slot_list_code(costs[i]);
}
