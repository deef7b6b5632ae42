/*
 * The addresses the traffic comes in by, each opened once for every worker (SO_REUSEPORT). The
 * keeper keeps all descriptors as long as it lives: what waits in the queue of a worker that
 * crashed is accepted by the next one.
 *
 * Owner: the keeper.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "net/address.h"
#include "proxy/table.h"

/* An address keeps its number as long as a worker accepts there: tables speak of it by that. */
struct listeners_one {
    struct address address; /* size 0: nobody's, free for another */
    int *sockets;           /* at least one for each worker */
    unsigned count;
    unsigned declared; /* its number in the configuration */
    bool is_leaving;   /* no longer declared: only workers that end know it */
    uint64_t services[TABLE_SERVICES_MAX / 64]; /* those that are reached by it, once it leaves */
};

struct listeners {
    struct listeners_one all[TABLE_LISTENERS_MAX];
    unsigned count; /* of numbers in use, free ones between them too */
};

/* Is it one that new connections should come by? */
static inline bool listeners_is_open(const struct listeners_one *one)
{
    return one->address.size && !one->is_leaving;
}

/* None yet. */
void listeners_init(struct listeners *listeners);

/* Closes them all. */
void listeners_finish(struct listeners *listeners);

/*
 * Adds an address and returns its index, or -errno with a sentence: -EADDRINUSE where anybody else
 * listens there. Port 0: the kernel chooses. No socket is open for longer than a moment yet.
 */
MUST_USE int listeners_add(struct listeners *listeners, const struct address *address,
                           struct error *why);

/* The number of an open address, or -ENOENT. */
MUST_USE int listeners_find(const struct listeners *listeners, const struct address *address);

/* Closes the sockets of an address beyond the first `count`. */
void listeners_close(struct listeners_one *one, unsigned count);

/* Nobody accepts there any more: its number is free. */
void listeners_forget(struct listeners_one *one);

/* Adds an address that is known to be ours, as its sockets (listeners_take()) show. */
MUST_USE int listeners_add_taken(struct listeners *listeners, const struct address *address);

/* Takes over a listening socket of an earlier keeper. -ENOENT, `fd` untouched, where its address
 * is none of ours. */
MUST_USE int listeners_take(struct listeners *listeners, int fd);

/* Opens what is missing, so that each address has one for each of `workers`. */
MUST_USE int listeners_fill(struct listeners *listeners, unsigned workers, struct error *why);

/* The open addresses as texts, a new reference. */
json_t *listeners_json(const struct listeners *listeners);
