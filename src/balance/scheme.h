/*
 * The inside of balance/: what a scheme is. Adding one = one file that defines a struct scheme, one
 * line in the table of scheme.c, one test.
 */
#pragma once

#include "balance/balance.h"
#include "balance/roster.h"

/* A build that was checked: options with their defaults filled in, members hashed. */
struct scheme_input {
    struct balance_options options;
    uint8_t secret[BALANCE_SECRET_BYTES];
    const struct balance_member *members;
    const struct roster *roster;
};

struct scheme {
    const char *name;
    bool is_keyed;
    bool has_ids; /* ids are unique, weights are 0 or 1 */

    /* Fills in defaults and refuses what the scheme cannot do. -EINVAL with a sentence. */
    int (*check)(struct balance_options *options, struct error *why);

    /* Makes the image: image_create(), then its table. */
    int (*build)(const struct scheme_input *input, struct balance_image **image, struct error *why);

    uint64_t (*hash)(const struct balance_image *image, struct view key, struct balance_load *load);

    /* Any rank; BALANCE_NONE past the last. */
    unsigned (*owner)(const struct balance_image *image, uint64_t hash, unsigned rank,
                      const struct balance_load *load);

    /* As balance_pick(). NULL: the ranks one after the other. */
    unsigned (*pick)(const struct balance_image *image, uint64_t hash,
                     const struct balance_load *load, balance_may_use_fn may_use, void *context,
                     unsigned *rank);

    /* NULL where there are no slots. */
    uint32_t (*slot)(const struct balance_image *image, uint64_t hash);
    unsigned (*slot_owner)(const struct balance_image *image, uint32_t slot);

    /* Where there are no slots: how many places a hash may have (a hash is its place), and the
     * owner of `at` with the end of the run of places from there on that are all its. */
    uint64_t places;
    unsigned (*run)(const struct balance_image *image, uint64_t at, uint64_t *end);

    /* As balance_virtual(); NULL where there are none. */
    int (*virtual_server)(const struct balance_image *image, uint64_t hash);
};

/* The scheme of this number, or NULL past the last. */
const struct scheme *scheme_at(unsigned number);

/* The scheme of this name, NULL meaning the default; NULL where there is none. */
const struct scheme *scheme_find(const char *name);

/* Its number. */
unsigned scheme_number(const struct scheme *scheme);

extern const struct scheme slot_hrw_scheme;
extern const struct scheme ketama_scheme;
extern const struct scheme maglev_scheme;
extern const struct scheme classic_scheme;
extern const struct scheme round_robin_scheme;
extern const struct scheme least_conn_scheme;
extern const struct scheme p2c_scheme;
