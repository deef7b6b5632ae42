/*
 * One value of a JSON text, by JSON Pointer (RFC 6901), found by reading along (RFC 8259): nothing
 * is built, nothing allocated. The text may be cut off behind the value.
 */
#pragma once

#include <stdbool.h>

#include "base/view.h"

/* Objects and arrays inside each other; deeper is no find. */
#define JSON_POINTER_DEPTH_MAX 64

/* Most bytes of a body that are looked at. */
#define JSON_POINTER_BYTES_MAX (64 * 1024)

enum json_pointer_result {
    JSON_POINTER_FOUND,
    JSON_POINTER_MORE,   /* the text ended before the value: look again with more of it */
    JSON_POINTER_ABSENT, /* no such value, no scalar, or no JSON */
};

/*
 * Finds the scalar at `pointer` ("" is the whole text). *value is a view into `text`: the inside of
 * a string as it stands (escapes undecoded), or the text of a number, true, false or null. Of a
 * name that an object has twice the first counts.
 */
enum json_pointer_result json_pointer_find(struct view text, struct view pointer,
                                           struct view *value);
