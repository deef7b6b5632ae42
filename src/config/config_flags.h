/* The flags of a configuration, shared by the words that read one. */
#pragma once

#include "config/config.h"

/*
 * Takes the flags of a configuration out of argv (`-c FILE`, `--port 80`, `--port=80`, ...) and
 * leaves what is somebody else's in order behind argv[0]. -EINVAL where a value is missing.
 */
MUST_USE int config_flags_parse(int *argc, char **argv, struct config_flags *flags,
                                struct error *why);

/* One line of help for each of those flags, zero-ended. Owner: the caller, ends with free(). */
char *config_flags_help(void);
