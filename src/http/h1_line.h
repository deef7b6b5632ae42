/*
 * Lines of an HTTP/1 head, from left to right: request line, status line, field line. A reader
 * looks at no byte twice and at none behind the first bad one, so a head cut anywhere gets the
 * same verdict as a whole one. Used by h1_parse and h1_chunk.
 *
 * Owner: the caller, on its stack.
 */
#pragma once

#include "base/view.h"
#include "http/head.h"

/* A method longer than this is none anybody implements: 501 (RFC 9112 3). */
#define H1_METHOD_BYTES_MAX 32

enum h1_step {
    H1_STEP_MORE, /* the line is not whole */
    H1_STEP_LINE, /* a line was read, `at` is behind it */
    H1_STEP_END,  /* the empty line was read, `at` is behind it */
    H1_STEP_BAD,  /* status and reason say why */
};

struct h1_reader {
    const char *at;    /* start of the line to read */
    const char *known; /* bytes before this one were read before and found good */
    const char *end;
    size_t target_bytes_max; /* of a request target; 0: no limit but that of the head */
    uint16_t status;
    const char *reason;
};

/* METHOD SP TARGET SP VERSION CRLF (RFC 9112 3): fills method, target and version; the target's
 * bytes are checked, its form is not. */
enum h1_step h1_line_request(struct h1_reader *reader, struct head *head);

/* VERSION SP STATUS [SP REASON] CRLF (RFC 9112 4); a reason without its SP is refused. */
enum h1_step h1_line_status(struct h1_reader *reader, struct head *head);

/* NAME ":" OWS VALUE OWS CRLF (RFC 9112 5), or the empty line. */
enum h1_step h1_line_field(struct h1_reader *reader, struct field *field);
