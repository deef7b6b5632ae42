/*
 * Ports of this machine for replicas that are local processes. A replica keeps its port through
 * all its starts; after its end the port goes to no other name until every worker has left the
 * last table that had it, so that no request ever reaches the wrong replica.
 * Owner: the supervisor.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attribute.h"

/* Ports waiting for an epoch; above it the oldest is forgotten. */
#define PORTS_WAITING_MAX 8192

/* How often the kernel is asked for another one before it is an error. */
#define PORTS_TRIES_MAX 64

#define PORTS_COUNT 65536

struct ports {
    uint64_t *owner; /* [PORTS_COUNT]: id of the replica that has it, 0: nobody */
    struct ports_waiting {
        uint64_t epoch;
        uint16_t port;
    } * waiting; /* in order of epoch */
    unsigned waiting_count;
    uint64_t published; /* the last epoch told to the workers */
    uint64_t adopted;   /* every worker has this one or a later one */
};

void ports_init(struct ports *ports);
void ports_finish(struct ports *ports);

/*
 * A port of 127.0.0.1 that nobody listens on, for replica `id` (not 0): `wanted` where it is
 * its own, or nobody's, and free; else another one. Returns the port or -errno.
 */
MUST_USE int ports_choose(struct ports *ports, uint64_t id, uint16_t wanted);

/* The replica has it already: it was adopted. */
void ports_claim(struct ports *ports, uint64_t id, uint16_t port);

/* All ports of `id` but `kept` (0: none) are given back: free once the workers have the epoch
 * published last. */
void ports_release(struct ports *ports, uint64_t id, uint16_t kept);

void ports_published(struct ports *ports, uint64_t epoch);
void ports_adopted(struct ports *ports, uint64_t epoch);
