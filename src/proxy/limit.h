/*
 * What one client address may have at once and ask for in a second: its connections, and a token
 * bucket of requests, over all workers (proxy/guests.h). IPv4 addresses count one by one, IPv6 by
 * their /64 (one customer's network).
 *
 * An address for which there is no place is not limited: as many others have connections then as
 * are remembered.
 *
 * Owner: the worker.
 */
#pragma once

#include "net/address.h"
#include "proxy/guests.h"

/* What is allowed; 0: no limit. */
struct limit_rules {
    uint32_t connections; /* at once */
    uint32_t requests;    /* a second, on average */
    uint32_t burst;       /* requests at once; at least 1 where `requests` is set */
};

struct limit {
    struct limit_rules rules;
    struct guest_segment *guests; /* of all workers; untouched while nothing is limited */
    _Atomic uint32_t *held;       /* of our count segment: our connections by place */
};

enum limit_verdict {
    LIMIT_TOO_MANY,    /* not counted: turn it away */
    LIMIT_COUNTED,     /* limit_disconnect() when it ends */
    LIMIT_NOT_COUNTED, /* nobody limits it */
};

/* Both are the caller's and stay as long as the limit. */
void limit_init(struct limit *limit, struct guest_segment *guests, _Atomic uint32_t *held);

/* From now on these count; connections that are open stay so. */
void limit_set(struct limit *limit, const struct limit_rules *rules);

/* One connection more of that address. */
MUST_USE enum limit_verdict limit_connect(struct limit *limit, const struct address *address);

/* One fewer of those that were counted. */
void limit_disconnect(struct limit *limit, const struct address *address);

/* Takes a token for one request; false where there is none. */
MUST_USE bool limit_request(struct limit *limit, const struct address *address, uint64_t now_us);

static inline bool limit_counts_requests(const struct limit *limit)
{
    return limit->rules.requests > 0;
}
