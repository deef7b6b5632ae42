/*
 * The placement before the last change of a pool, kept for a while: a replica that has just been
 * given a slot is told with each request who owned it before, so that it can fetch from there what
 * it does not have yet.
 *
 * Owner: the crew.
 */
#pragma once

#include "balance/balance.h"
#include "control/publish.h"

/* How long after a change the owners before it are named. */
#define HANDOFF_US UINT64_C(60000000)

struct handoff {
    struct publish *publish;
    struct timer timer;
    struct balance_image *image; /* NULL: nobody needs it */
};

void handoff_init(struct handoff *handoff, struct publish *publish);
void handoff_finish(struct handoff *handoff);

/*
 * `image` is about to be changed: a copy of it is kept from now on. Nothing is kept of a scheme
 * that places no keys, or of a pool without replicas.
 */
void handoff_begin(struct handoff *handoff, const struct balance_image *image);

/* The placement before the last change, or NULL. Valid until the next turn of the loop. */
static inline const struct balance_image *handoff_image(const struct handoff *handoff)
{
    return handoff->image;
}
