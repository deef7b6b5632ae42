/*
 * May a request be sent once more, and is there anybody to send it to? (rules of the wire, 4; what
 * may be repeated: RFC 9110 9.2.2)
 */
#pragma once

#include "proxy/exchange.h"

/* Not sent: any method; sent and without a byte of an answer: the idempotent ones, as long as the
 * body is still held. x->was_sent and ->failure say how the last attempt ended. */
bool attempt_may_follow(const struct exchange *x);

/* The same, and there is a replica and budget for it; what was taken back needs none. */
bool attempt_can_follow(const struct exchange *x);

/* How long the keeper may take to say that a replica has died. */
#define ATTEMPT_VERDICT_MS 50

/* Is the replica of the last attempt gone? What it held goes on whatever the budget says: that is
 * against storms, and here it is the replica's end that is to blame. */
bool attempt_lost_its_replica(const struct exchange *x);

/* The budget is spent, but the replica may just have died: the keeper will say so at once, if so.
 */
bool attempt_awaits_verdict(const struct exchange *x);

/*
 * Where no other replica can be asked: the first attempt may have met a connection that was just
 * being closed, which says nothing of its replica (RFC 9112 9.3.1). That one may be asked again,
 * and now counts as not tried; the next attempt uses a fresh connection.
 */
MUST_USE bool attempt_begins_anew(struct exchange *x);
