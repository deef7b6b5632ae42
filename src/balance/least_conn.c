/*
 * The member with the least in flight for its weight; among equals the turn decides, so that idle
 * members take turns.
 */
#include "balance/least_loaded.h"

static uint64_t least_conn_hash(const struct balance_image *image, struct view key,
                                struct balance_load *load)
{
    (void)image;
    (void)key;
    return load ? load->turn++ : 0;
}

/* The least loaded of those after `after` in the order of (load, place from the turn on). */
static unsigned next_in_order(const struct balance_image *image, uint32_t start,
                              const struct balance_load *load, unsigned after, uint32_t after_place,
                              uint32_t *place)
{
    const uint16_t *members = image_table_of(image);
    unsigned best = BALANCE_NONE;

    for (uint32_t i = 0; i < image->active; i++) {
        unsigned member = members[(start + i) % image->active];
        int order = after == BALANCE_NONE ? 1 : least_loaded_compare(image, load, member, after);

        if (order < 0 || (order == 0 && i <= after_place))
            continue;
        if (best != BALANCE_NONE && least_loaded_compare(image, load, member, best) >= 0)
            continue;
        best = member;
        *place = i;
    }
    return best;
}

static unsigned least_conn_owner(const struct balance_image *image, uint64_t hash, unsigned rank,
                                 const struct balance_load *load)
{
    uint32_t start = (uint32_t)(hash % image->active);
    uint32_t place = 0;
    unsigned member = BALANCE_NONE;

    for (unsigned i = 0; i <= rank; i++)
        member = next_in_order(image, start, load, member, place, &place);
    return member;
}

/* One pass for the answer and one for its rank, however many may not be used. */
static unsigned least_conn_pick(const struct balance_image *image, uint64_t hash,
                                const struct balance_load *load, balance_may_use_fn may_use,
                                void *context, unsigned *rank)
{
    const uint16_t *members = image_table_of(image);
    uint32_t start = image->active ? (uint32_t)(hash % image->active) : 0;
    unsigned best = BALANCE_NONE;
    uint32_t place = 0;

    for (uint32_t i = 0; i < image->active; i++) {
        unsigned member = members[(start + i) % image->active];

        if (best != BALANCE_NONE && least_loaded_compare(image, load, member, best) >= 0)
            continue;
        if (!may_use(context, member))
            continue;
        best = member;
        place = i;
    }
    if (best == BALANCE_NONE)
        return best;
    *rank = 0;
    for (uint32_t i = 0; i < image->active; i++) {
        unsigned member = members[(start + i) % image->active];
        int order = least_loaded_compare(image, load, member, best);

        *rank += order < 0 || (order == 0 && i < place);
    }
    return best;
}

const struct scheme least_conn_scheme = {
    .name = "least-conn",
    .check = least_loaded_check,
    .build = least_loaded_build,
    .hash = least_conn_hash,
    .owner = least_conn_owner,
    .pick = least_conn_pick,
};
