/*
 * The dockhand: a small process that alone reaches the Docker Engine, and does for its keeper what
 * seven verbs can say (dockhand_order.h) within what its charter allows (dockhand_charter.h).
 * Whoever takes over the keeper can start, stop and remove containers that bear our labels, made
 * the way the charter says, and nothing else. The labels are looked at before every act.
 *
 * The first message on the link is the charter. The process forks: the inner one locks itself in
 * (dockhand_jail.h), reads the charter and works; where it crashes the outer one, which parses
 * nothing, starts another, because the keeper may by then no longer have the right to. Both end
 * when the keeper has closed its end and what it had ordered is done.
 *
 * Owner: the process `roost dockhand`.
 */
#pragma once

#include "replica/dockhand_charter.h"
#include "replica/engine.h"

/* The end of the link that the dockhand is started with. */
#define DOCKHAND_FD 3

/* What the keeper has closed its end on is given that long. */
#define DOCKHAND_LAST_US UINT64_C(15000000)

/* Orders at once; one more is refused. */
#define DOCKHAND_TASKS_MAX 512

struct dockhand {
    struct loop loop;
    struct sock_group socks;
    struct engine engine;
    struct dockhand_charter charter;
    struct watch link;
    struct timer last; /* runs once the keeper is gone */
    struct list tasks;
    unsigned task_count;
    struct dockhand_task *network_seeker; /* who looks for the network, or makes it */
    struct list network_waiters;
    bool knows_network; /* it is there */
    bool is_leaving;
};

/* Returns the exit status of `roost dockhand`. */
int dockhand_main(void);

/* Sends one message and forgets it. Waits where the keeper does not read. */
void dockhand_say(struct dockhand *dockhand, json_t *message);
