/*
 * Which replica a request goes to: the first in its slot's order that may be used now. The table
 * says the order, the state segment who is there, the worker's own seats who refused it lately.
 */
#pragma once

#include "proxy/proxy.h"

/* Most attempts of one request, whatever the configuration says. */
#define PICK_TRIED_MAX 8

/* The replicas a request has tried already. */
struct pick_tried {
    unsigned count;
    bool has_waited; /* for a connection, in vain: that time is not lost twice */
    uint32_t seats[PICK_TRIED_MAX];
};

struct pick {
    const struct table_replica *replica; /* into the table in force */
    unsigned member;
    unsigned rank; /* 0: the owner */
    uint32_t slot;
    bool is_trial;   /* it is on probation */
    const char *why; /* "owner", or what kept the owner from it; a literal */
};

/*
 * The replica for `hash` in the service at place `service` of the table in force. -ENOENT where no
 * replica may be used.
 */
MUST_USE int pick_replica(struct proxy *proxy, unsigned service, uint64_t hash,
                          const struct pick_tried *tried, struct pick *pick);
