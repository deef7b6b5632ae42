/*
 * The command of a process replica and the environment it is given: built anew for each start, with
 * {port} and {name} filled in. Nothing of our own environment but PATH gets there.
 * Owner: the driver.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

#define COMMAND_WORDS_MAX  256  /* of the command, and of the environment */
#define COMMAND_WORD_BYTES 8192 /* of one of them with all filled in */

/* Where nobody says what PATH is. */
#define COMMAND_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct command {
    char **words; /* end with NULL */
    char **env;   /* "NAME=value", end with NULL */
};

/* One start's argv and environment, both ending with NULL. */
struct command_words {
    char **argv;
    char **environment;
};

/* Copies; `env` may be NULL. -EINVAL: no command, too many words, an entry of `env` without a
 * name. */
MUST_USE int command_init(struct command *command, const char *const *words, const char *const *env,
                          struct error *why);
void command_finish(struct command *command);

/* The first word, as it was given. */
const char *command_program(const struct command *command);

/* -E2BIG where a word is too long with all filled in. Ends with command_words_finish(). */
MUST_USE int command_fill(const struct command *command, const char *name, uint16_t port,
                          struct command_words *words, struct error *why);
void command_words_finish(struct command_words *words);
