/*
 * The addresses the traffic comes in by, each opened once for every worker (SO_REUSEPORT). The
 * keeper keeps all descriptors as long as it lives: what waits in the queue of a worker that
 * crashed is accepted by the next one.
 *
 * Owner: the keeper.
 */
#pragma once

#include <stdbool.h>

#include "net/address.h"
#include "proxy/table.h"

struct listeners_one {
    struct address address;
    int *sockets; /* at least one for each worker */
    unsigned count;
};

struct listeners {
    struct listeners_one all[TABLE_LISTENERS_MAX];
    unsigned count;
};

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

/* Adds an address that is known to be ours, as its sockets (listeners_take()) show. */
MUST_USE int listeners_add_taken(struct listeners *listeners, const struct address *address);

/* Takes over a listening socket of an earlier keeper. -ENOENT, `fd` untouched, where its address
 * is none of ours. */
MUST_USE int listeners_take(struct listeners *listeners, int fd);

/* Opens what is missing, so that each address has one for each of `workers`. */
MUST_USE int listeners_fill(struct listeners *listeners, unsigned workers, struct error *why);
