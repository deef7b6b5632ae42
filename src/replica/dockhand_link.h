/*
 * The keeper's end of its dockhand: starts the process, gives it orders, hears its answers, and
 * starts it again where it is gone.
 *
 * Orders beyond DOCKHAND_LINK_ORDERS_MAX wait here. An answer comes from the loop, never from
 * inside dockhand_link_give(). Each order is answered once: with -ENOTCONN where the dockhand
 * ended before it did.
 *
 * Owner: the driver.
 */
#pragma once

#include <jansson.h>

#include "net/loop.h"
#include "replica/dockhand_charter.h"

/* Orders under way at once, events aside: the Engine does no more at a time in good order. */
#define DOCKHAND_LINK_ORDERS_MAX 64

/* Before a dockhand that ended is started again. */
#define DOCKHAND_LINK_PAUSE_US UINT64_C(500000)

/* `result` 0, or a negative errno and `why`. `answer` has the other fields; it is gone when this
 * returns. */
typedef void (*dockhand_link_done_fn)(void *owner, int result, const json_t *answer,
                                      const char *why);
typedef void (*dockhand_link_item_fn)(void *owner, const json_t *item);

/* Makes a dockhand; *fd is its end of a socket for messages (SOCK_SEQPACKET), the caller's. */
typedef int (*dockhand_link_launch_fn)(void *owner, int *fd, struct error *why);

struct dockhand_link {
    struct loop *loop;
    struct watch watch;
    struct timer restart;
    struct ready ready;
    char *charter;
    struct list sent;
    struct list queue;
    unsigned outstanding; /* of `sent`, without events */
    uint64_t last_id;
    bool is_welcome; /* the dockhand works */
    dockhand_link_launch_fn launch;
    void *launch_owner;
    void (*on_lost)(void *owner); /* all that was ordered has been answered */
    void *owner;
};

/* One order's fields; those that its verb has not are NULL or 0. */
struct dockhand_link_order {
    const char *verb;
    const char *name;
    const char *replica;
    const char *container;
    const char *since;
    uint32_t grace_s;
    dockhand_link_item_fn on_item; /* may be NULL */
    dockhand_link_done_fn done;
    void *owner;
};

/* `launch` NULL: `roost dockhand`. -E2BIG where the charter is too long, -EINVAL where
 * it is none. */
MUST_USE int dockhand_link_init(struct dockhand_link *link, struct loop *loop,
                                const struct dockhand_charter *charter,
                                dockhand_link_launch_fn launch, void *launch_owner,
                                void (*on_lost)(void *owner), void *owner, struct error *why);

/* Nothing is answered any more. What was ordered is still done. */
void dockhand_link_finish(struct dockhand_link *link);

void dockhand_link_give(struct dockhand_link *link, const struct dockhand_link_order *wish);

/* Orders of that owner are done and not answered. */
void dockhand_link_forget(struct dockhand_link *link, const void *owner);
