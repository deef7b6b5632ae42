/*
 * The pool of one service: the replicas that are desired, oldest first, and the calls that change
 * it. Calls are done one after the other, each whole or not at all.
 *
 *     add:    start what is new -> all ready -> in the table of every worker -> confirmed
 *     remove: out of the table of every worker -> answered -> drained -> stopped
 *
 * Owner: the keeper.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "balance/balance_builder.h"
#include "config/config.h"
#include "control/counts.h"
#include "control/handoff.h"
#include "control/outlier.h"
#include "control/publish.h"
#include "control/state.h"
#include "control/workers.h"
#include "replica/supervisor.h"

#define CREW_NAME_BYTES DRIVER_NAME_BYTES
#define CREW_CHANGE_MAX 1000 /* replicas that one call may add or remove */
#define CREW_CALLS_MAX  256  /* calls that may wait */

/* A call whose table not every worker has adopted by then is answered as pending. */
#define CREW_ADOPTION_US UINT64_C(2000000)

struct crew;

/* A replica in one of its lives, after which it may be another or gone. */
struct crew_ref {
    uint64_t id;
    uint32_t seat;
    uint32_t incarnation;
};

/* A replica that is desired, or was and has not ended yet. Its replica's owner_data. */
struct crew_member {
    struct list list;
    struct crew *crew;
    struct replica *replica;
    char name[CREW_NAME_BYTES];
    uint32_t weight;
    uint32_t id;                 /* in `classic`: the smallest free one at its birth */
    struct counts_seat baseline; /* what others had counted in its seat before */
    struct outlier outlier;      /* what its answers say; control/outlier_watch.h writes it ... */
    uint32_t judged;             /* ... of this incarnation; 0: of none yet */
};

/* How a call ended: 0, or a negative errno with its sentence. `names` are those that were added or
 * removed; valid during the call. */
typedef void (*crew_done_fn)(void *owner, int result, const char *why,
                             char (*names)[CREW_NAME_BYTES], unsigned count);

enum crew_kind { CREW_ADD, CREW_REMOVE, CREW_WEIGH };

/* A change that somebody wants. Copied by the callee. */
struct crew_wish {
    enum crew_kind kind;
    unsigned count; /* of replicas: those of `names`, then others */
    char (*names)[CREW_NAME_BYTES];
    unsigned name_count;
    uint32_t weight;   /* CREW_WEIGH; STATE_WEIGHT_CONFIGURED: what the configuration says */
    uint64_t epoch;    /* 0, or: only while keys are placed as in that table */
    const char *who;   /* wants it */
    const char *cause; /* what was called */
};

/* A change that was made. The texts are valid during the call. */
struct crew_change {
    enum crew_kind kind;
    const char *what; /* as an event is called */
    const char *who;
    const char *cause;
    char (*names)[CREW_NAME_BYTES];
    unsigned count;
    uint32_t weight; /* CREW_WEIGH: the one in force */
};

struct crew_events {
    /* The pool is another one now; workers will know with the next table. */
    void (*on_changed)(void *owner, struct crew *crew, const struct crew_change *change);
};

/* The calls of a crew (control/crew_call.h). */
struct crew_calls {
    struct list waiting; /* the first one is being done */
    struct list late;    /* answered before every worker had adopted their table */
    struct ready ready;
    unsigned count; /* of those that wait */
    bool is_open;   /* they are done */
    bool is_closed; /* no more of them */
    bool is_busy;   /* with the first one */
};

struct crew {
    const struct config *whole;
    const struct config_service *config;
    unsigned number; /* of the service */
    struct loop *loop;
    struct supervisor *supervisor;
    struct publish *publish;
    struct workers *workers;
    struct state *state;
    const struct crew_events *events;
    void *owner;
    struct replica_plan plan;
    struct list members; /* desired, oldest first */
    struct list leaving;
    unsigned count; /* of members */
    struct crew_calls calls;
    struct list departures;          /* of replicas that crew_follow.h lets go */
    struct list homecomings;         /* healed replicas that not every worker knows again */
    struct balance_builder *builder; /* of the placement; NULL: none was asked for yet */
    struct handoff handoff;          /* who owned what before the last change */
    uint64_t placed;                 /* first epoch in which keys are placed as they are now */
    uint64_t window_us;              /* when its replicas' speed was last compared */
    bool is_placed;                  /* the builder knows the members as they are */
    bool is_redeclared;              /* it began with another declaration than the one remembered */
};

/* `driver` is the pool's from now on. */
void crew_init(struct crew *crew, const struct config *whole, unsigned number,
               struct supervisor *supervisor, struct publish *publish, struct workers *workers,
               struct state *state, struct driver *driver, const struct crew_events *events,
               void *owner);

/* The supervisor must have finished. Calls that wait are answered with -ESHUTDOWN. */
void crew_finish(struct crew *crew);

/* The pool as it begins: starts (or adopts) those members. */
MUST_USE int crew_restore(struct crew *crew, const struct state_pool *pool, struct error *why);

/* From now on calls are done. */
void crew_open(struct crew *crew);

/* From now on calls are refused, those that wait too. */
void crew_close(struct crew *crew);

/*
 * Changes the pool; `done` is told how it ended, later.
 *
 *     CREW_ADD     the first of the new replicas get `names`, the others random ones
 *     CREW_REMOVE  those of `names`, the rest at random
 *     CREW_WEIGH   the one of `names`; a weight of 0 drains it and leaves it in the pool
 *
 * Answers: -EEXIST (a name is there), -E2BIG (over limits.replicas), -ENOSPC (a full classic ring),
 * -ENOTSUP (static), -ENOENT (an unknown name), -ERANGE (more than there are), -ECHILD (a replica
 * did not become ready), -ESTALE (not the wish's epoch), -EIO (it cannot be remembered),
 * -EINPROGRESS (done but not acknowledged by all workers), -ESHUTDOWN, -EBUSY (too many wait).
 */
void crew_ask(struct crew *crew, const struct crew_wish *wish, crew_done_fn done, void *owner);

/* The member of that name, or NULL. */
struct crew_member *crew_find(struct crew *crew, const char *name);

/* Of a replica; NULL for one that is not in the pool (yet). */
struct crew_member *crew_member_of(const struct replica *replica);

/* A new incarnation of a member answers: tells the workers, then lets it in. */
void crew_let_in(struct crew *crew, struct replica *replica);

/* Its replica has ended. */
void crew_forget(struct crew *crew, struct replica *replica);

/* What its replica has served since it is a member. */
void crew_count(const struct crew_member *member, struct counts_seat *sum);

/* Where keys go among the present members; *image is valid until the next change of the pool.
 * Errors as balance_build(). */
MUST_USE int crew_placement(struct crew *crew, const struct balance_image **image,
                            struct error *why);

/* ---- for the calls ---- */

struct crew_ref crew_ref_of(const struct replica *replica);

/* The replica, perhaps in another of its lives, or NULL where it is gone. */
struct replica *crew_find_ref(const struct crew *crew, const struct crew_ref *ref);

/* A replica becomes a member. */
void crew_admit(struct crew *crew, struct replica *replica, const struct state_member *row);

/* It is desired no more; it stays known until crew_forget(). */
void crew_dismiss(struct crew *crew, struct crew_member *member);

/* A member's weight has changed: keys are placed anew. */
void crew_displace(struct crew *crew);

/* The smallest id from `first` on that no member has. */
uint32_t crew_free_id(const struct crew *crew, uint32_t first);

/* Is there room on a classic ring for those names too? -ENOSPC; the other schemes always have some.
 */
MUST_USE int crew_try_ring(struct crew *crew, char (*names)[CREW_NAME_BYTES], unsigned more,
                           struct error *why);

/* What the configuration says of a name. */
uint32_t crew_configured_weight(const struct crew *crew, const char *name);
