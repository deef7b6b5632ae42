/*
 * One sentence for the person who has to mend it.
 *
 * What can fail returns 0 or a negative errno. What a person will read also takes a
 * `struct error *why` (NULL where nobody reads it) and puts one sentence into it.
 * Owner: the caller; it is plain memory, nothing to free.
 */
#pragma once

#include "base/attribute.h"

#define ERROR_TEXT_BYTES 512

struct error {
    char text[ERROR_TEXT_BYTES];
};

/* Writes the sentence and returns `code`, a negative errno, so that a failing line is one line. */
int error_set(struct error *why, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts `prefix: ` before the sentence that is there already; returns `code`. */
int error_prefix(struct error *why, int code, const char *format, ...) PRINTF_LIKE(3, 4);
