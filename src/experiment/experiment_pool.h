/* Changes of the running balancer's pool, and what it says of a replica. */
#pragma once

#include "experiment/experiment_rig.h"

/* /add of one replica of that name; how long the call took. -EPROTO with a sentence where it is
 * refused. */
MUST_USE int experiment_pool_add(struct experiment_rig *rig, const char *name, uint64_t *took_us,
                                 struct error *why);
MUST_USE int experiment_pool_remove(struct experiment_rig *rig, const char *name, uint64_t *took_us,
                                    struct error *why);

struct experiment_replica {
    pid_t pid;
    bool is_up;
    unsigned incarnation;
    char state[16];
};

MUST_USE int experiment_pool_look(struct experiment_rig *rig, const char *name,
                                  struct experiment_replica *replica, struct error *why);

/* The placement digest: equal ones place every key alike. */
MUST_USE int experiment_pool_digest(struct experiment_rig *rig,
                                    char digest[BALANCE_DIGEST_TEXT_BYTES], struct error *why);
