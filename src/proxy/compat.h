/*
 * What compat: assignment makes of a replica's answer: the assignment wants 400 with its own text
 * where a replica says 404, and a page at the root.
 */
#pragma once

#include "proxy/exchange.h"

/* Is this answer replaced by one of ours? */
bool compat_replaces(const struct exchange *x, const struct head *answer);

/* Answers the client instead; the exchange has no client afterwards. What the replica still says
 * is read and thrown away. */
void compat_answer(struct exchange *x);
