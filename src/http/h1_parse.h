/*
 * HTTP/1 heads: bytes -> struct head, strictly, in one pass (RFC 9112 2 to 6; the project's rules
 * of the wire where they are stricter). No I/O, no memory of its own, no clock.
 *
 * The whole head must be there: call again with more bytes after H1_MORE. `scanned` makes that
 * cheap: bytes looked at for the end of the head are not looked at again.
 */
#pragma once

#include "base/view.h"
#include "http/head.h"

enum h1_result {
    H1_MORE, /* no end of head yet */
    H1_DONE,
    H1_BAD,
};

/* Limits that the configuration sets. */
struct h1_limits {
    size_t head_bytes;   /* of the whole head with its empty line; at most HEAD_BYTES_MAX */
    size_t fields;       /* at most HEAD_FIELDS_MAX */
    size_t target_bytes; /* of a request target, more is 414; 0: as much as the head */
};

struct h1_verdict {
    enum h1_result result;
    size_t
        size; /* DONE: bytes of the head, its empty line included, and of empty lines before it */
    uint16_t status; /* BAD: what to answer a client: 400, 405, 414, 431, 501 or 505. To a replica's
                        answer it is always 502 */
    const char *reason; /* BAD: why, one short sentence in plain ASCII without quotes */
};

/*
 * Parses one request head at the start of `bytes`. `*scanned` is 0 before the first call for a
 * message and is kept between calls. `head->fields` must be set by the caller; everything else is
 * filled. CONNECT is 400 and TRACE 405 (they are never forwarded); HTTP/0.9 and unknown majors are
 * 505 where they can be read and 400 elsewhere; at most one empty line (CRLF) before the request
 * line is passed over (RFC 9112 2.2). On BAD the connection must be closed after the answer.
 */
struct h1_verdict h1_parse_request(struct view bytes, const struct h1_limits *limits,
                                   size_t *scanned, struct head *head);

/* The same for the head of an answer (a status line, RFC 9112 4). */
struct h1_verdict h1_parse_answer(struct view bytes, const struct h1_limits *limits,
                                  size_t *scanned, struct head *head);
