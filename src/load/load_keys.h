/*
 * The keys that requests bear: a repeatable sequence, made from a pattern and a seed.
 *
 *     unique      1, 2, 3, …
 *     random      six digits, evenly, as the assignment's balancer draws them
 *     zipf:S:N    1 … N, the k-th as often as 1/k^S
 *     file:PATH   the lines of a file, over and over
 *
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/view.h"

#define LOAD_KEYS_BYTES          1024 /* of the longest key */
#define LOAD_KEYS_FILE_BYTES_MAX (256 * 1024 * 1024)
#define LOAD_KEYS_ZIPF_MAX       1e15

enum load_keys_kind {
    LOAD_KEYS_NONE,
    LOAD_KEYS_UNIQUE,
    LOAD_KEYS_RANDOM,
    LOAD_KEYS_ZIPF,
    LOAD_KEYS_FILE
};

struct load_keys {
    enum load_keys_kind kind;
    uint64_t state; /* of the generator */
    uint64_t turn;
    double exponent; /* zipf */
    double count;
    double high;
    double low;
    double cut;
    char *text; /* file */
    struct view *lines;
    size_t line_count;
};

/* Reads the pattern; NULL is none. -errno with a sentence, nothing to finish then. */
MUST_USE int load_keys_init(struct load_keys *keys, const char *pattern, uint64_t seed,
                            struct error *why);
void load_keys_finish(struct load_keys *keys);

/* The next key, in `text` or in the keys' own memory. */
struct view load_keys_next(struct load_keys *keys, char text[LOAD_KEYS_BYTES]);
