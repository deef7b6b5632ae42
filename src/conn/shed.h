/*
 * Who is let go when memory is short: those who wait for most.
 */
#pragma once

#include "conn/inbound.h"

/*
 * Ends connections of the group whose clients take their answers slowest, the largest queues first,
 * until an eighth of the limit of queued bytes is free, or nobody is left who waits for much. Says
 * how many. Not the one whose bytes are being taken.
 */
unsigned shed_slowest(struct inbound_group *group);
