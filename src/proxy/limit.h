/*
 * What one client address may have at once and ask for in a second: its connections, and a token
 * bucket of requests. IPv4 addresses count one by one, IPv6 by their /64 (one customer's network).
 *
 * Each worker counts for itself. Whoever has neither a connection nor an empty place in its bucket
 * is forgotten; the number of those remembered is bounded, the one not seen for longest goes first.
 *
 * Owner: the worker.
 */
#pragma once

#include "base/list.h"
#include "base/pool.h"
#include "net/address.h"

/* Most addresses remembered that have no connection. */
#define LIMIT_IDLE_MAX 65536

/* What is allowed; 0: no limit. */
struct limit_rules {
    uint32_t connections; /* at once */
    uint32_t requests;    /* a second, on average */
    uint32_t burst;       /* requests at once; at least 1 where `requests` is set */
};

struct limit {
    struct limit_rules rules;
    struct list *buckets; /* of the hash table; NULL while nothing is limited */
    struct pool pool;
    struct list idle; /* those without a connection, the one seen last at the end */
    unsigned idle_count;
    uint64_t seed; /* nobody outside can choose addresses that meet in one bucket */
};

void limit_init(struct limit *limit);
void limit_finish(struct limit *limit);

/* From now on these count; connections that are open stay so. */
void limit_set(struct limit *limit, const struct limit_rules *rules);

/* One connection more of that address; false, and not counted, where it has as many as it may. */
MUST_USE bool limit_connect(struct limit *limit, const struct address *address);

/* One connection fewer; harmless where none was counted. */
void limit_disconnect(struct limit *limit, const struct address *address);

/* Takes a token for one request; false where there is none. */
MUST_USE bool limit_request(struct limit *limit, const struct address *address, uint64_t now_us);

static inline bool limit_counts_requests(const struct limit *limit)
{
    return limit->rules.requests > 0;
}
