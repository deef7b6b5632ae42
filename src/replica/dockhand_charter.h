/*
 * What a dockhand may do at all, told once when it starts: which containers are its own, and how
 * each of them is made. Nobody can have it make others: there is no word for a mount, a privilege,
 * a device, a capability, a namespace of the host or another image.
 *
 * Owner: the dockhand; dockhand_charter_finish().
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "base/view.h"

#define DOCKHAND_CHARTER_NODE_BYTES    33 /* with its zero, like the others */
#define DOCKHAND_CHARTER_SERVICE_BYTES 128
#define DOCKHAND_CHARTER_IMAGE_BYTES   256
#define DOCKHAND_CHARTER_NETWORK_BYTES 65
#define DOCKHAND_CHARTER_ENV_MAX       256
#define DOCKHAND_CHARTER_ENV_BYTES_MAX (32u * 1024)

/* The labels a container of ours bears. */
#define DOCKHAND_LABEL_NODE    "io.roost.node"
#define DOCKHAND_LABEL_SERVICE "io.roost.service"
#define DOCKHAND_LABEL_REPLICA "io.roost.replica"

/* The output that is kept of one container. */
#define DOCKHAND_CHARTER_OUTPUT_SIZE  "4m"
#define DOCKHAND_CHARTER_OUTPUT_FILES "2"

struct dockhand_charter {
    char node[DOCKHAND_CHARTER_NODE_BYTES];       /* whose containers: letters, digits, . _ - */
    char service[DOCKHAND_CHARTER_SERVICE_BYTES]; /* and of which service */
    char image[DOCKHAND_CHARTER_IMAGE_BYTES];
    char network[DOCKHAND_CHARTER_NETWORK_BYTES];
    uint16_t port;         /* they listen on */
    uint64_t memory_bytes; /* 0: no limit, like the others */
    uint64_t nano_cpus;
    uint32_t pids;
    json_t *env; /* an array of "NAME=value"; wins over SERVER_ID and PORT */
};

/* Reads and checks it. -EINVAL with a sentence; charter untouched. */
MUST_USE int dockhand_charter_read(struct dockhand_charter *charter, struct view text,
                                   struct error *why);

/* The same back, as text; the caller's, ends with free(). */
char *dockhand_charter_write(const struct dockhand_charter *charter);

void dockhand_charter_finish(struct dockhand_charter *charter);

/* The body of the request that makes the container for a replica (POST /containers/create); the
 * caller's, ends with free(). */
char *dockhand_charter_body(const struct dockhand_charter *charter, const char *replica);

/* Are these the labels of a container of ours? */
bool dockhand_charter_owns(const struct dockhand_charter *charter, const json_t *labels);
