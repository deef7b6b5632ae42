/*
 * What the verbs of `roost ring` share: the members and the options of the scheme.
 * Owner: ring_main().
 */
#pragma once

#include <stdio.h>

#include "balance/balance.h"

#define RING_KEYS_MAX 100000000 /* of one --keys */

struct ring_options {
    struct balance_options balance;
    struct balance_member *members;
    size_t count;
    char *names; /* what the members' names point into */
    uint64_t first_key;
    uint64_t last_key;
    bool has_keys;
    bool is_help;
    bool is_json;
    bool is_csv;
    bool is_verbose;
    const char *plot;    /* --plot FILE, or NULL */
    const char *add;     /* --add A,B */
    const char *remove;  /* --remove A,B */
    const char *key;     /* --key SOURCE, of replay */
    const char *changes; /* --changes, of replay */
    uint64_t cache;      /* --cache N, of replay */
    char **arguments;    /* what was no option */
    int argument_count;
};

/* Reads the command line. -EINVAL with a sentence, nothing to finish then. */
MUST_USE int ring_options_parse(int argc, char **argv, struct ring_options *options,
                                struct error *why);
void ring_options_finish(struct ring_options *options);

void ring_options_help(FILE *out);

/* Says on standard error why a verb failed; returns its exit status. */
int ring_options_fail(const struct error *why);

/* `text` as a JSON string with its quotes, to standard output. */
void ring_options_print_json(const char *text);
