/*
 * The chunked transfer coding (RFC 9112 7.1), read byte by byte if need be. Bare LF, BWS and
 * anything that is not the grammar is refused; chunk extensions are checked, bounded and dropped.
 * No I/O, no memory of its own but the trailer section's bytes.
 */
#pragma once

#include "base/buffer.h"
#include "base/view.h"
#include "http/head.h"

/* Most bytes of all chunk extensions of one message together, and of one chunk-size line. */
#define H1_CHUNK_EXTENSION_BYTES_MAX (16 * 1024)
#define H1_CHUNK_LINE_BYTES_MAX      4096

/* Most bytes of the fields of a trailer section. */
#define H1_TRAILER_BYTES_MAX (16 * 1024)

enum h1_chunk_result {
    H1_CHUNK_MORE, /* all bytes taken, no more data in them */
    H1_CHUNK_DATA, /* `data` is a piece of the body */
    H1_CHUNK_END,  /* last chunk and trailer section are read; bytes behind it are untouched */
    H1_CHUNK_BAD,
};

struct h1_chunk_reader {
    int state;
    uint64_t left;          /* bytes of the present chunk still to come */
    size_t line_bytes;      /* of the present chunk-size line */
    size_t extension_bytes; /* of the message */
    struct buffer trailer;  /* lines of the trailer section; no memory where there are none */
};

void h1_chunk_init(struct h1_chunk_reader *reader);

/* Frees the trailer section. */
void h1_chunk_finish(struct h1_chunk_reader *reader);

/*
 * Takes bytes off the front of *bytes up to the end of the next piece of data, the end of the body
 * or of the bytes. Call again until it says MORE, END or BAD. *data is a view into *bytes.
 */
enum h1_chunk_result h1_chunk_read(struct h1_chunk_reader *reader, struct view *bytes,
                                   struct view *data);

/*
 * The trailer fields after H1_CHUNK_END (RFC 9110 6.5): fields that frame, route or name the
 * connection are marked dropped (Content-Length, Transfer-Encoding, Host, Connection, Trailer, TE
 * …). `fields` has room for HEAD_FIELDS_MAX. Returns their number, or -EBADMSG. Views are valid
 * until h1_chunk_finish().
 */
MUST_USE int h1_chunk_trailers(const struct h1_chunk_reader *reader, struct field *fields);

/* Room for the line before a chunk of any size: hexadecimal digits and CRLF. */
#define H1_CHUNK_PREFIX_BYTES 18

/* Writes "SIZE CRLF" for a chunk of `size` > 0 bytes; returns its bytes. The data and CRLF follow.
 */
size_t h1_chunk_prefix(size_t size, char text[H1_CHUNK_PREFIX_BYTES]);
