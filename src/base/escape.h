/* Text made safe to stand inside other text. */
#pragma once

#include <stdio.h>

#include "base/buffer.h"
#include "base/view.h"

/*
 * Most bytes one byte can become in any of these.
 */
#define ESCAPE_GROWTH_MAX 6

/*
 * The inside of a JSON string (RFC 8259 7): quotes, backslashes and control bytes escaped; bytes
 * that are no UTF-8 become U+FFFD. Returns the bytes written, at most `capacity`; what does not
 * fit whole is left off.
 */
size_t escape_json(struct view text, char *out, size_t capacity);

/* The same, appended to a buffer. -ENOBUFS where its limit forbids. */
MUST_USE int escape_json_append(struct view text, struct buffer *out);

/* The value of a hexadecimal digit, -1 where it is none. */
int escape_hex_value(char digit);

/* `text` as a field of CSV (RFC 4180), quoted where it has to be. */
void escape_print_csv(FILE *out, const char *text);
