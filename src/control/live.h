/*
 * What happens to replicas, told to those whom it concerns: each state to the workers by its seat,
 * each return to its crew.
 */
#pragma once

#include "proxy/segments.h"
#include "replica/supervisor.h"

/* The owner of the supervisor's events is the keeper. */
extern const struct supervisor_events live_events;

/* What a worker is to know of a state. */
enum seat_state live_seat_state(enum replica_state state);
