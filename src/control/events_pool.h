/*
 * Tells the events of pools: who changed what, and what that moved, read off the two tables
 * themselves; what became of each replica.
 *
 * A change of a pool is told when the table that has it is published, so that its event says how
 * many slots went to another owner, how many had to, and the excess.
 *
 * Owner: the keeper.
 */
#pragma once

#include "control/crew.h"
#include "control/events.h"
#include "control/outlier.h"

struct events_pool {
    struct events *events;
    json_t **changes; /* by service: made, and in no table yet; NULL: none */
    unsigned service_count;
    uint64_t epoch; /* of the table in force, and its digest */
    char digest[TABLE_DIGEST_TEXT_BYTES];
};

void events_pool_init(struct events_pool *pool, struct events *events, unsigned service_count);
void events_pool_finish(struct events_pool *pool);

/* A pool was changed. */
void events_pool_change(struct events_pool *pool, const struct crew *crew,
                        const struct crew_change *change);

/* `now` is published in place of `before` (NULL: it is the first one). */
void events_pool_publish(struct events_pool *pool, const struct crew *crews,
                         const struct table *before, const struct table *now);

/* A replica was `before` and is replica->state now. */
void events_pool_state(struct events_pool *pool, const struct replica *replica,
                       enum replica_state before);

/* A replica that was `before` has been ejected, is tried again or is back. */
void events_pool_outlier(struct events_pool *pool, const struct replica *replica,
                         const struct outlier *outlier, enum outlier_action action,
                         const char *before);
