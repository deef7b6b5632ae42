/*
 * Names into addresses: the hosts file first, then DNS (c-ares), A and AAAA at once. Nothing
 * blocks: c-ares' sockets and time-outs are the loop's.
 *
 * A resolver is one question under way. Each reads the system's resolver configuration anew, so a
 * change of it counts from the next question on, and each has sockets of its own, so that its ports
 * are hard to guess (RFC 5452 4.5).
 *
 * Owner: who asked, until the answer came or he cancelled.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/address.h"
#include "net/loop.h"

#define RESOLVER_SERVERS_MAX   8
#define RESOLVER_ADDRESSES_MAX 64   /* of one family; more are passed over */
#define RESOLVER_FOUND_MAX     4096 /* addresses of one family that are looked at */

/* How long the first try of a server may take; each later one takes twice the time before. */
#define RESOLVER_TRY_MS 1000
#define RESOLVER_TRIES  2

enum resolver_family { RESOLVER_IPV4, RESOLVER_IPV6, RESOLVER_FAMILIES };

/* What came of one family: distinct, sorted, so that the order of an answer means nothing. */
struct resolver_found {
    int result;           /* 0; -ENODATA: the name has none; else why it is not known */
    unsigned count;       /* 0 where `result` is not */
    unsigned passed_over; /* beyond RESOLVER_ADDRESSES_MAX */
    struct address addresses[RESOLVER_ADDRESSES_MAX];
};

struct resolver_answer {
    struct resolver_found found[RESOLVER_FAMILIES];
    uint32_t ttl_s; /* the shortest of what was found */
    bool is_local;  /* of the hosts file: there is no TTL */
    char why[128];  /* what went wrong last; empty: nothing */
};

struct resolver;

/* Told once, from the loop; the resolver is gone then. */
typedef void (*resolver_fn)(void *owner, const struct resolver_answer *answer);

/* Asks for `host`; the addresses get `port`. `servers` is a list "IP:PORT,[IP]:PORT" or NULL: those
 * of the system. What cannot be asked is answered as a failure. */
struct resolver *resolver_ask(struct loop *loop, const char *servers, const char *host,
                              uint16_t port, resolver_fn on_answer, void *owner);

/* No answer will come. NULL is harmless. */
void resolver_cancel(struct resolver *resolver);
