/*
 * Waiting for the owner: an idempotent request whose slot's owner is being healed, and is expected
 * back soon, may wait for it up to `hold` from its arrival instead of spilling to the next rank.
 *
 * What a worker holds is bounded: so many requests, of bodies that would be kept for a retry
 * anyway; beyond that requests spill. They are in flight all the while. They are looked at again
 * when the keeper says that a state has changed, so that nothing asks over and over.
 *
 * Owner of the list: the proxy.
 */
#pragma once

#include "proxy/exchange.h"

/* Held by one worker: of one replica, and together. */
#define HOLD_REPLICA_MAX 256
#define HOLD_MAX         1024

/* Whoever is being healed for longer is not expected soon any more. */
#define HOLD_SOON_MS 10000

/* So long after an owner was not reached it may turn out that it has died: the end of a container
 * is told by its Engine, which takes its time. */
#define HOLD_VERDICT_MS 150

/*
 * May the request wait, and is its owner worth it? Then it is among those that are held, and its
 * timer runs: the step is EXCHANGE_HOLD from now on. A key that was drawn has no owner anybody
 * asked for, and where the scheme knows no keys there is none: such a request waits only where
 * nobody else can be asked.
 */
MUST_USE bool hold_begins(struct exchange *x);

/* Does it go on? Asked at each piece of news. */
MUST_USE bool hold_goes_on(struct exchange *x);

/* It waits no longer. An owner that is back counts as not tried. Harmless where it did not wait. */
void hold_end(struct exchange *x);

/* Why a request goes to the replica of that rank, where `why` is what else would be said. */
const char *hold_why(const struct exchange *x, unsigned rank, const char *why);

/* Something has changed: each that is held is looked at again. */
void hold_look(struct proxy *proxy);
