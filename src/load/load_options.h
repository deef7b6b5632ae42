/*
 * The command line of `roost load`.
 * Owner: load_main().
 */
#pragma once

#include <stdio.h>

#include "load/load_run.h"

enum load_format { LOAD_TABLE, LOAD_JSON, LOAD_CSV };

struct load_options {
    struct load_plan plan; /* points into these options: they stay where they are */
    struct load_template head;
    struct load_keys keys;
    char *body;
    const char *url;
    int format;      /* enum load_format */
    bool is_quiet;   /* no progress */
    bool wants_help; /* nothing else was looked at then */
    uint64_t seed;
};

/* Reads the command line. -EINVAL with a sentence, or -errno where a file cannot be read; nothing
 * to finish then. */
MUST_USE int load_options_parse(int argc, char **argv, struct load_options *options,
                                struct error *why);
void load_options_finish(struct load_options *options);

void load_options_help(FILE *out);
