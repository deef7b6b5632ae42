/*
 * Where the hashing library says that keys go: what a measurement is held against.
 * Owner: whoever called experiment_placement_build(); ends with experiment_placement_finish().
 */
#pragma once

#include "experiment/experiment_options.h"

#define EXPERIMENT_REPLICAS_MAX 64
#define EXPERIMENT_NAME_BYTES   24

/* The keys an experiment draws from: all six-digit numbers, as in the assignment. */
#define EXPERIMENT_KEY_FIRST 100000u
#define EXPERIMENT_KEY_COUNT 900000u

struct experiment_placement {
    struct balance_image *image;
    unsigned count;
    char names[EXPERIMENT_REPLICAS_MAX][EXPERIMENT_NAME_BYTES]; /* Server 1 … */
    double
        shares[EXPERIMENT_REPLICAS_MAX]; /* of the six-digit keys; even where keys do not count */
    uint8_t *owners;                     /* of each six-digit key; NULL where keys do not count */
    bool is_keyed;
};

/* Of replicas Server 1 … Server `count`. */
MUST_USE int experiment_placement_build(struct experiment_placement *placement,
                                        const struct experiment_scheme *scheme, unsigned count,
                                        struct error *why);
void experiment_placement_finish(struct experiment_placement *placement);

/* The replica of a key, by index, or BALANCE_NONE. Keyed schemes only. */
unsigned experiment_placement_owner(const struct experiment_placement *placement, struct view key);

/* The share of the six-digit keys that another replica has after than before; `excess`: of them
 * those that moved between replicas that are in both. Keyed schemes only. */
double experiment_placement_moved(const struct experiment_placement *before,
                                  const struct experiment_placement *after, double *excess);

/* Nanoseconds for one look-up among `count` replicas, hash and owner, measured now. */
MUST_USE int experiment_placement_lookup_ns(const struct experiment_scheme *scheme, unsigned count,
                                            double *ns, struct error *why);
