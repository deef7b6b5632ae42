/* `roost ring compare`: all schemes side by side for the same members. */
#pragma once

#include "ring/ring_options.h"

/* What one scheme does with the members. Ratios are 0 where they mean nothing for it. */
struct ring_compare_row {
    const char *scheme;
    bool is_built;
    struct error why;   /* where it is not */
    double peak;        /* of the fullest, over its due */
    double variation;   /* coefficient of variation */
    double leave;       /* moved over the minimum when one leaves, mean over members */
    double come;        /* when one comes */
    double lookup_ns;   /* a key's hash and its owner */
    double build_ms;    /* a full build */
    double table_bytes; /* of the image */
};

/* Returns the exit status. */
int ring_compare(const struct ring_options *options);
