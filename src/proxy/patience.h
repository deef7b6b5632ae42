/*
 * How long an exchange waits for its next news. What must move (a body) has half of its time to do
 * so unseen; in the other half we watch whether whoever bytes are queued for takes any. The kernel
 * tells us late that there is room (a slow reader of a large buffer takes minutes for that), but it
 * knows what was acknowledged.
 */
#pragma once

#include "proxy/exchange.h"

/* The next news must come within so long. */
void patience_give(struct exchange *x, uint32_t within_ms);

/* Something moved: a whole request waits for its answer, anything else for the next bytes. Where a
 * replica is at work on it, only the unseen half begins here. */
void patience_renew(struct exchange *x);

/* Half of the time is over, or all of it, and nothing moved: may it go on, as the watching begins
 * or `to` has taken enough (limits.min-rate, or anything at all) since it began? */
MUST_USE bool patience_is_earned(struct exchange *x, struct stream *to);
