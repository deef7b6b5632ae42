/*
 * What is done to a replica from outside: signals, to a process by the kernel, to a container by
 * the Docker Engine.
 * Owner: the caller, ends with experiment_harm_finish().
 */
#pragma once

#include "experiment/experiment_rig.h"

struct experiment_harm {
    struct experiment_rig *rig;
    const char *replica;                     /* its name, the caller's */
    unsigned incarnation;                    /* as it was found */
    pid_t pid;                               /* of a process */
    char container[DOCKHAND_ORDER_ID_BYTES]; /* or of a container, else empty */
    struct experiment_docker_call call;      /* the last signal to it */
};

/* Finds the replica that runs under that name now. -errno with a sentence, nothing to finish
 * then. */
MUST_USE int experiment_harm_aim(struct experiment_harm *harm, struct experiment_rig *rig,
                                 const char *replica, struct error *why);

/* Sends a signal. The Engine delivers in its own time: the next signal, and the end, wait for it.
 * -errno with a sentence where it, or the one before, cannot be delivered. */
MUST_USE int experiment_harm_send(struct experiment_harm *harm, int signal, struct error *why);

/* Waits until the last signal was delivered. -errno with a sentence where it was not. */
MUST_USE int experiment_harm_finish(struct experiment_harm *harm, struct error *why);
