/*
 * Who is let go when memory is short: those who wait for most, and those of whom most is kept.
 */
#pragma once

#include "conn/inbound.h"

/* What is said with 503 to those whose requests would need too much. */
extern const char shed_reason[];

/*
 * Ends connections of the group whose clients take their answers slowest, the largest queues first,
 * until an eighth of the limit of queued bytes is free, or nobody is left who waits for much. Says
 * how many. Not the one whose bytes are being taken.
 */
unsigned shed_slowest(struct inbound_group *group);

/*
 * Ends connections of whose unfinished requests most is kept, the largest first, until an eighth of
 * the limit is free, or nobody is left of whom much is kept. They are told 503 where they wait for
 * no answer. Says how many. Not the one whose bytes are being taken.
 */
unsigned shed_unfinished(struct inbound_group *group);

/* Ends that one in the same way. */
void shed_one(struct inbound *inbound);
