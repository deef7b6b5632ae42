/*
 * The command line of `roost experiment`.
 * Owner: experiment_main().
 */
#pragma once

#include <stdio.h>

#include "balance/balance.h"

#define EXPERIMENT_PATH_BYTES    4096
#define EXPERIMENT_IMAGE_DEFAULT "roost" /* as `make image` and the compose file have it */

/* How requests find replicas. NULL: the default. */
struct experiment_scheme {
    const char *scheme;
    const char *request_hash; /* classic */
    const char *server_hash;
};

struct experiment_options {
    const char *name; /* a1 … */
    const char *file; /* of `log`; the folder of `plot` */
    const char *out;  /* a folder, or NULL */
    struct experiment_scheme scheme;
    uint64_t seed;
    uint64_t requests;
    unsigned connections;
    const char *image; /* of containers */
    bool is_docker;    /* replicas are containers */
    bool is_quick;
    bool is_json;
    bool is_verbose;
    bool wants_help; /* nothing else was looked at then */
};

/* Reads the command line. -EINVAL with a sentence. */
MUST_USE int experiment_options_parse(int argc, char **argv, struct experiment_options *options,
                                      struct error *why);

void experiment_options_help(FILE *out);
