/*
 * One line of an access log: common, combined (Apache's, nginx's default), or JSON and logfmt as
 * roost writes them.
 */
#pragma once

#include "base/view.h"

#define RING_LOG_KEY_BYTES 2048 /* a longer key is cut */

struct ring_log_line {
    char key[RING_LOG_KEY_BYTES];
    size_t key_bytes;
    uint64_t bytes; /* of the answer; 0 where the line does not say */
};

/*
 * Reads a line (without its end). `field` is what to take for the key: path, target (path and
 * query), client-ip, or in JSON and logfmt the name of any field. -EINVAL where it is no such line
 * or has no such field.
 */
MUST_USE int ring_log_parse(struct view text, const char *field, struct ring_log_line *line);
