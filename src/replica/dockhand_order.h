/*
 * What the keeper may ask of its dockhand: seven verbs, each with fields of its own and no others.
 * Orders and answers are JSON, one message each, on a socket that keeps messages apart.
 *
 *     {"id":1,"verb":"create","name":"Server-1","replica":"Server 1"}
 *     {"id":2,"verb":"start","container":"4f…"}        likewise remove, inspect
 *     {"id":3,"verb":"stop","container":"4f…","grace":5}
 *     {"id":4,"verb":"list"}
 *     {"id":5,"verb":"events","since":"1789000000.123456789"}
 *
 * An answer has the order's id and a result, 0 or a negative errno with a sentence; before it
 * `list` and `events` send items.
 *
 *     {"id":1,"result":0,"container":"4f…"}
 *     {"id":3,"result":-110,"why":"…"}
 *     {"id":4,"item":{"container":"4f…","replica":"Server 1","running":true}}
 *
 * Owner: whoever reads one; plain memory.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/view.h"

#define DOCKHAND_ORDER_BYTES_MAX   (64u * 1024) /* of a message, either way */
#define DOCKHAND_ORDER_ID_BYTES    65           /* of a container: 64 hexadecimal digits */
#define DOCKHAND_ORDER_NAME_BYTES  96
#define DOCKHAND_ORDER_SINCE_BYTES 32
#define DOCKHAND_ORDER_GRACE_S_MAX 600

enum dockhand_verb {
    DOCKHAND_CREATE,
    DOCKHAND_START,
    DOCKHAND_STOP,
    DOCKHAND_REMOVE,
    DOCKHAND_INSPECT,
    DOCKHAND_LIST,
    DOCKHAND_EVENTS,
    DOCKHAND_VERBS
};

struct dockhand_order {
    uint64_t id; /* the keeper's, > 0 */
    enum dockhand_verb verb;
    char container[DOCKHAND_ORDER_ID_BYTES]; /* start, stop, remove, inspect */
    char name[DOCKHAND_ORDER_NAME_BYTES];    /* create: of the container */
    char replica[64];                        /* create: as people know it */
    char since[DOCKHAND_ORDER_SINCE_BYTES];  /* events: seconds, or empty for now on */
    uint32_t grace_s;                        /* stop */
};

/* Reads and checks one. -EINVAL with a sentence; order->id is set where it can be read. */
MUST_USE int dockhand_order_read(struct dockhand_order *order, struct view text, struct error *why);

/* Is it the whole id of a container? */
bool dockhand_order_is_container(const char *text);
