/*
 * The addresses of the traffic while a reload changes them. All of it can be taken back until the
 * workers that use them are there.
 *
 * Owner: the reload.
 */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "control/listeners.h"

/* Listening sockets that one worker may be given; fewer workers than that allows are refused. */
#define RELOAD_ADDRESSES_SOCKETS_MAX 128

/* As they were before the change, each at its number. */
struct reload_addresses {
    struct listeners *listeners;
    struct reload_address {
        unsigned sockets;
        unsigned declared;
        bool is_used;
        bool is_leaving;
    } before[TABLE_LISTENERS_MAX];
};

/*
 * Makes the listeners those of `next`, with a socket for each of the workers. Those that are
 * declared no more leave: they stay known, with their services of `table` (in force, may be NULL),
 * to the workers that accepted there. On failure -errno with a sentence, and what was done so far
 * is to be taken back.
 */
MUST_USE int reload_addresses_change(struct reload_addresses *addresses,
                                     struct listeners *listeners, const struct config *next,
                                     const struct table *table, unsigned workers,
                                     struct error *why);

/* Takes it back: all as it was before the change. */
void reload_addresses_restore(const struct reload_addresses *addresses);

/* The workers of the reload serve: nobody accepts any more where addresses leave. */
void reload_addresses_close_left(struct listeners *listeners);

/* The workers of before are gone: the numbers of addresses that have left are free. */
void reload_addresses_forget_left(struct listeners *listeners);
