/*
 * Looks at what the workers count of each replica, ejects those that control/outlier.h finds broken
 * as long as enough others are left, and lets them back. Tells the workers by the state segment,
 * people by log and events.
 *
 * An ejection is health and no membership: no table changes, keys go to their next rank and come
 * back. A replica that is started anew begins with nothing held against it.
 *
 * Owner: the keeper.
 */
#pragma once

#include "control/crew.h"
#include "control/outlier.h"

/* How often it is looked, while some service asks for it. */
#define OUTLIER_WATCH_US UINT64_C(50000)

/* A look that comes so much later: we were stopped, and perhaps everybody else was. Nobody's
 * slowness counts until all that was under way is over. */
#define OUTLIER_WATCH_LATE_US   UINT64_C(200000)
#define OUTLIER_WATCH_SETTLE_US UINT64_C(1000000)

struct keeper;

struct outlier_watch {
    struct keeper *keeper;
    struct timer timer;
    uint64_t due_us;
    uint64_t settled_us; /* until then no window begins */
};

void outlier_watch_init(struct outlier_watch *watch, struct keeper *keeper);
void outlier_watch_finish(struct outlier_watch *watch);

/* The workers serve, or another configuration is in force: looks from now on where it asks for it,
 * and restores whom it no longer wants ejected. */
void outlier_watch_configure(struct outlier_watch *watch);

/* A replica may be in use from now on: what it has answered before is not held against it. */
void outlier_watch_begin(struct outlier_watch *watch, const struct replica *replica);

/* What the workers are to know of a replica. */
enum seat_state outlier_watch_seat_state(const struct replica *replica);

/* What is held against it; NULL while it is in rotation, or out of it for another reason. */
const struct outlier *outlier_watch_of(const struct replica *replica);

/* Its state as people read it: "ejected", "probation", else replica_state_name(). */
const char *outlier_watch_state_name(const struct replica *replica);
