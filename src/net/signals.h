/*
 * Signals, heard through the loop. From signals_start() on they are blocked; a process that is
 * started from here has to unblock them for itself. SIGPIPE is ignored.
 *
 * Owner: the struct it is embedded in.
 */
#pragma once

#include "net/loop.h"

struct signals;
typedef void (*signals_fn)(struct signals *signals, uint32_t signal);

struct signals {
    struct watch watch;
    struct loop *loop; /* NULL: not started */
    signals_fn on_signal;
};

/* `heard` are the numbers of the signals and ends with 0. Harmless to stop on failure. */
MUST_USE int signals_start(struct signals *signals, struct loop *loop, const int *heard,
                           signals_fn on_signal, struct error *why);

/* Harmless on one that is all zeroes, or stopped. They stay blocked. */
void signals_stop(struct signals *signals);
