/*
 * The power of two choices (Mitzenmacher 2001): of two members drawn at random the one that has
 * less to do. Then the other of the two, then the rest in a circle.
 */
#include "balance/least_loaded.h"

/* Steele, Lea, Flood 2014 (SplitMix64): turns are consecutive, draws must not be. */
static uint64_t mix(uint64_t turn)
{
    turn += UINT64_C(0x9e3779b97f4a7c15);
    turn = (turn ^ turn >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    turn = (turn ^ turn >> 27) * UINT64_C(0x94d049bb133111eb);
    return turn ^ turn >> 31;
}

static uint64_t p2c_hash(const struct balance_image *image, struct view key,
                         struct balance_load *load)
{
    (void)image;
    (void)key;
    return mix(load ? load->turn++ : 0);
}

static unsigned p2c_owner(const struct balance_image *image, uint64_t hash, unsigned rank,
                          const struct balance_load *load)
{
    const uint16_t *members = image_table_of(image);
    uint32_t active = image->active;
    uint32_t first = (uint32_t)((hash >> 32) * active >> 32);
    uint32_t apart;
    unsigned a = members[first];
    unsigned b;

    if (active == 1)
        return a;
    apart = (uint32_t)((hash & UINT32_MAX) * (active - 1) >> 32) + 1; /* 1 … active − 1 */
    b = members[(first + apart) % active];
    if (rank < 2)
        return (least_loaded_compare(image, load, b, a) < 0) == (rank == 0) ? b : a;
    /* The circle from the first on, the first left out and the other too. */
    if (rank - 1 >= apart)
        rank++;
    return members[(first + rank - 1) % active];
}

const struct scheme p2c_scheme = {
    .name = "p2c",
    .check = least_loaded_check,
    .build = least_loaded_build,
    .hash = p2c_hash,
    .owner = p2c_owner,
};
