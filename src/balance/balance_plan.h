/*
 * What going from one image to another costs: how much of the key space changes its member, how
 * much had to, and from whom to whom.
 * Owner: the struct it is embedded in; ends with balance_plan_finish().
 */
#pragma once

#include "balance/balance.h"

/* What a member has, in units of the plan. */
struct balance_share {
    const char *name; /* in one of the two images: valid as long as that */
    uint64_t before;
    uint64_t after;
};

/* Units that go from one share to another, by index; BALANCE_NONE is nobody. */
struct balance_move {
    unsigned from;
    unsigned to;
    uint64_t units;
};

struct balance_plan {
    uint64_t units;  /* the whole: slots; 2^32 places in `ketama`; sampled keys */
    uint64_t moved;  /* units whose owner is another */
    uint64_t excess; /* moved − minimum */

    /* The least any placement could move: the larger of what those lose that go or weigh less and
     * what those gain that come or weigh more. */
    uint64_t minimum;

    /* Where the two images' slots do not compare (another scheme, key or classic ring) the units
     * are keys drawn over the whole space, and the numbers are estimates. */
    bool is_sampled;

    struct balance_share *shares; /* of the members after, in their order, then of those gone */
    size_t share_count;
    struct balance_move *moves; /* by from, then to */
    size_t move_count;
};

/* Fills in `plan`. -EINVAL with a sentence where a scheme does not place by key. */
MUST_USE int balance_plan_make(const struct balance_image *before,
                               const struct balance_image *after, struct balance_plan *plan,
                               struct error *why);

/* Frees what it holds; harmless on one of zeros. */
void balance_plan_finish(struct balance_plan *plan);
