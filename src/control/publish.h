/*
 * Tells the workers what is: builds a table of the desired pools and their live addresses, gives it
 * the next epoch, sends it, and says when all workers use it. Several changes in one turn of the
 * loop are one table.
 *
 * Owner: the keeper.
 */
#pragma once

#include "base/list.h"
#include "config/config.h"
#include "control/workers.h"
#include "net/loop.h"
#include "replica/supervisor.h"

/* A table that could not be built (no memory) is tried again after that long. */
#define PUBLISH_RETRY_US UINT64_C(500000)

struct publish;
struct publish_waiter;

/* Every worker uses a table with what was asked for. */
typedef void (*publish_fn)(struct publish_waiter *waiter);

/* Owner: the caller; not touched any more once it was called or cancelled. */
struct publish_waiter {
    struct list list;
    uint64_t epoch;
    publish_fn on_adopted;
};

/* Makes the table of an epoch; *fd is the callee's. */
typedef int (*publish_build_fn)(void *owner, uint64_t epoch, int *fd, struct error *why);

/* `now` takes the place of `before`, which is NULL at first and gone afterwards. */
typedef void (*publish_table_fn)(void *owner, const struct table *before, const struct table *now);

struct publish {
    struct loop *loop;
    struct workers *workers;
    struct supervisor *supervisor;
    publish_build_fn build;
    publish_table_fn on_table; /* may be NULL */
    void *owner;
    struct ready ready;
    struct timer retry;
    struct list waiters;       /* by epoch */
    uint64_t epoch;            /* of the newest table, 0: none */
    uint64_t adopted;          /* by all */
    const struct table *table; /* the newest, or NULL */
    bool is_wanted;            /* a new table */
    bool is_held;              /* only publish_now() makes one */
};

/* Epochs go on after `epoch`. Held until the first publish_now(). */
void publish_init(struct publish *publish, struct loop *loop, struct workers *workers,
                  struct supervisor *supervisor, publish_build_fn build, void *owner,
                  uint64_t epoch);
void publish_finish(struct publish *publish);

/* A table of what is now. `waiter` may be NULL. */
void publish_change(struct publish *publish, struct publish_waiter *waiter, publish_fn on_adopted);

/* No new table: the newest one is to be in use. */
void publish_await(struct publish *publish, struct publish_waiter *waiter, publish_fn on_adopted);

/* The same at once instead of at the end of the turn. -errno with a sentence. */
MUST_USE int publish_now(struct publish *publish, struct error *why);

/* It is not to be called. Harmless where it does not wait. */
void publish_cancel(struct publish_waiter *waiter);

/* The workers have adopted something. */
void publish_look(struct publish *publish);
