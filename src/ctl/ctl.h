/*
 * `roost ctl`: the control API for a person. One file for each group of verbs; what they share is
 * here: what was asked for, and the connection to the balancer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctl/ctl_client.h"

/* Names after a verb. */
#define CTL_NAMES_MAX 1000

/* What stood on the command line. Owner: ctl_main(); points into argv. */
struct ctl_options {
    const char *verb;
    const char *control;    /* --control; NULL: it is looked for */
    const char *token_file; /* NULL: ROOST_CONTROL_TOKEN or the configuration's */
    const char *state;      /* NULL: ./run or as roost serve finds it */
    const char *file;       /* -c */
    const char *service;    /* NULL: the first one */
    const char *epoch;      /* --if-epoch; NULL: whatever the pool is by now */
    unsigned count;         /* -n; 0: not given */
    bool follows;           /* -f */
    bool watches;
    bool is_json;
    bool undoes;
    bool wants_help;
    unsigned name_count;
    const char *names[CTL_NAMES_MAX];
};

/* A verb at work. Owner: ctl_main(). */
struct ctl {
    const struct ctl_options *options;
    struct ctl_client client;
};

/* argv[0] is the word. Returns the exit status. */
int ctl_main(int argc, char **argv);
