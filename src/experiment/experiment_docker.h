/*
 * The Docker Engine as an experiment needs it: is it there, has it the image, signals to the
 * containers of a balancer of ours, and nothing left in the end. Making, healing and removing
 * containers is the balancer's, as ever (replica/driver_docker.h); here is only what a person would
 * do with `docker` besides. So it is not a dockhand's: it serves nobody but who runs the
 * experiment.
 *
 * All that belongs to a run bears one label with a name that is drawn anew for each, which is also
 * its network's: no other run and no other balancer has to do with it.
 *
 * Owner: the rig.
 */
#pragma once

#include <jansson.h>

#include "replica/dockhand_order.h"
#include "replica/engine.h"

#define EXPERIMENT_DOCKER_NODE_BYTES 33 /* with its zero */

struct experiment_docker {
    struct engine engine;
    const char *image;
    char node[EXPERIMENT_DOCKER_NODE_BYTES]; /* of the label; the network's name too */
    char version[32];                        /* of the Engine */
};

/* One call to the Engine, under way or over. */
struct experiment_docker_call {
    struct engine_call *call; /* NULL: over */
    int status;               /* of HTTP, or a negative errno */
    json_t *body;
    char why[ERROR_TEXT_BYTES];
};

/* Asks the Engine of DOCKER_HOST whether it is there and has the image; waits for it. -errno with a
 * sentence that says what to do; nothing to finish then. `image` stays the caller's. */
MUST_USE int experiment_docker_init(struct experiment_docker *docker, struct sock_group *socks,
                                    const char *image, struct error *why);

/* Removes what is left of the run, and says on standard error what would not go. */
void experiment_docker_finish(struct experiment_docker *docker);

/* The running container of a replica. -ENOENT with a sentence. */
MUST_USE int experiment_docker_find(struct experiment_docker *docker, const char *replica,
                                    char container[DOCKHAND_ORDER_ID_BYTES], struct error *why);

/* Sends a signal to a container's first process; the answer is awaited with
 * experiment_docker_await(). */
void experiment_docker_signal(struct experiment_docker *docker, const char *container, int signal,
                              struct experiment_docker_call *call);

/* Turns the loop until the call is over, and forgets its answer. -errno with a sentence where it
 * failed. Harmless where none was made. */
MUST_USE int experiment_docker_await(struct experiment_docker *docker,
                                     struct experiment_docker_call *call, struct error *why);
