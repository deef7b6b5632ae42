/*
 * The host names among the addresses of static services: asks for each again when its answer's time
 * is up, and keeps the pools as the answers say. Each address is a replica (driver_static_name.h).
 *
 *     answered  what is new joins at once; what is gone leaves when all that is there has settled,
 *               or health.start later, so that a whole new set of addresses interrupts nothing
 *     failed    nothing changes; asked again, after a growing delay
 *
 * That a name has no addresses is a failure: a pool is never emptied by DNS.
 *
 * Owner: the keeper.
 */
#pragma once

#include "control/crew.h"
#include "net/resolver.h"
#include "net/resolver_host.h"

#define LOOKUP_TTL_LEAST_S 1   /* an answer is good for at least ... */
#define LOOKUP_TTL_MOST_S  300 /* ... and at most that long */
#define LOOKUP_LOCAL_S     5   /* one of the hosts file */
#define LOOKUP_RETRY_MS    1000
#define LOOKUP_RETRY_MOST  30000
#define LOOKUP_JITTER      10 /* per cent of the delay after a failure that it may be shorter by */

/* A start does not wait longer for the first answers. */
#define LOOKUP_PATIENCE_US UINT64_C(3000000)

/* Questions under way at once; the others wait their turn. */
#define LOOKUP_QUESTIONS_MAX 32

/* How often it is looked whether new replicas have settled. */
#define LOOKUP_SETTLE_US UINT64_C(50000)

enum lookup_state {
    LOOKUP_WAITING,  /* for the outcome of the first question */
    LOOKUP_ANSWERED, /* the last question was */
    LOOKUP_FAILING,  /* it was not: what is known stays in use */
};

/* The last good addresses of one family. Owner: the lookup. */
struct lookup_known {
    unsigned count;
    struct address *addresses;
};

/* One name of one service. */
struct lookup {
    struct lookups *lookups;
    struct crew *crew;
    char entry[CREW_NAME_BYTES];
    char host[RESOLVER_HOST_BYTES];
    uint16_t port;
    enum lookup_state state;
    struct resolver *question; /* under way, or NULL */
    struct list turn;          /* of those that wait for one */
    struct timer again;        /* to the next question */
    struct timer settle;       /* runs while some are to leave */
    struct lookup_known known[RESOLVER_FAMILIES];
    uint64_t leave_us;    /* at the latest */
    uint64_t answers;     /* since the start */
    uint64_t failures;    /* likewise */
    unsigned failed;      /* one after the other */
    unsigned passed_over; /* addresses beyond what there is room for */
    uint32_t ttl_s;       /* in force */
    char why[ERROR_TEXT_BYTES];
};

struct lookups {
    struct loop *loop;
    struct lookup *all;
    unsigned count;
    char *servers; /* for resolver_ask(), or NULL */
    struct list waiting;
    unsigned questions; /* under way */
    uint64_t started_us;
};

/* Asks for all names of the crews, which are as they were remembered. */
void lookup_start(struct lookups *lookups, struct loop *loop, const struct config *config,
                  struct crew *crews);

/* Asks no more and changes nothing more. Harmless on all zeroes, and again. */
void lookup_stop(struct lookups *lookups);

/* Frees it all; harmless on all zeroes. */
void lookup_finish(struct lookups *lookups);

/* Is each name answered, or known not to be for a while? */
bool lookup_is_settled(const struct lookups *lookups);

/* "waiting", "answered", "failing" */
const char *lookup_state_name(enum lookup_state state);

/* How long an answer is good for, in seconds. */
uint32_t lookup_ttl_s(const struct resolver_answer *answer);

/* How long after the `failed`th failure, from 1 on, it is asked again, in milliseconds. */
uint32_t lookup_retry_ms(unsigned failed);

/*
 * Takes an answer over into what is known of both families: an answered family replaces what was
 * known, one that the name has not is empty where the other one is answered, a failed one stays.
 * False, and nothing changed, where neither is answered.
 */
bool lookup_merge(struct lookup_known known[RESOLVER_FAMILIES],
                  const struct resolver_answer *answer);
