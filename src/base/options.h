/*
 * A command line read by a table: one row an option, whose function takes its value. Options come
 * in any order and spelling that getopt_long() knows; what is none stays, in order, at the end of
 * argv. For `roost load` and `roost experiment`; `roost ring` shares the numbers.
 * Owner: the word that reads its command line.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

#define OPTIONS_MAX 32 /* rows of a table */

struct options_row;
typedef int (*options_take_fn)(const struct options_row *row, const char *text, struct error *why);

/* A table ends with a row without a name. */
struct options_row {
    const char *name; /* without its dashes */
    char letter;      /* or 0 */
    options_take_fn take;
    void *value; /* where it goes: what `take` expects */
    uint64_t least;
    uint64_t most;
};

/* Reads argv[1] …; *first is the index of the first argument that is no option. `word` is for the
 * hint "roost WORD --help". -EINVAL with a sentence, or what a row's function answers. */
MUST_USE int options_read(int argc, char **argv, const struct options_row *rows, const char *word,
                          int *first, struct error *why);

/* How a person writes the row's option: -n, else --seed. `text` has room for it. */
#define OPTIONS_NAME_BYTES 40
const char *options_name(const struct options_row *row, char text[OPTIONS_NAME_BYTES]);

/*
 * What a row's function may be. `flag` sets a bool and `choice` an int to row->most, both without a
 * value; `text` a const char *, `number` a uint64_t, `count` an unsigned. -EINVAL with a sentence.
 */
int options_flag(const struct options_row *row, const char *text, struct error *why);
int options_choice(const struct options_row *row, const char *text, struct error *why);
int options_text(const struct options_row *row, const char *text, struct error *why);
int options_number(const struct options_row *row, const char *text, struct error *why);
int options_count(const struct options_row *row, const char *text, struct error *why);

/* A number from `least` to `most`. -EINVAL with a sentence about `what`, *number untouched. */
MUST_USE int options_take_number(const char *text, const char *what, uint64_t least, uint64_t most,
                                 uint64_t *number, struct error *why);
