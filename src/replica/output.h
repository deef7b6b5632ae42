/*
 * What a replica writes: a file of limited size, NAME.log in the folder of its service, and the
 * piece before it, NAME.log.1. Never a pipe, which would end with its reader.
 * Owner of the files: nobody in particular; they stay when the replica is gone, the oldest go.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attribute.h"

#define OUTPUT_FILES_MAX  256 /* logs kept in one folder */
#define OUTPUT_LINE_BYTES 160

/* A descriptor that appends to NAME.log, the caller's; -errno where it cannot be had. */
MUST_USE int output_open(int folder_fd, const char *name);

/* Where NAME.log has grown beyond `most` bytes, its last `most` become NAME.log.1 and it is
 * emptied; lines written in between may be lost. */
void output_limit(int folder_fd, const char *name, uint64_t most);

/* The last line of NAME.log that is not empty, without what is no printable ASCII; zero-ended,
 * empty where there is none. */
void output_last_line(int folder_fd, const char *name, char line[OUTPUT_LINE_BYTES]);

/* Is that name's log still written to? */
typedef bool (*output_used_fn)(void *owner, const char *name);

/* Removes the oldest logs that are no longer used where there are more than OUTPUT_FILES_MAX. */
void output_prune(int folder_fd, output_used_fn is_used, void *owner);
