/*
 * Heads in HTTP/1 form: written anew, never copied from what was received. Into memory the caller
 * gives; a writer that runs out of room says so at the end instead of at each line.
 */
#pragma once

#include <string.h>

#include "base/view.h"
#include "http/head.h"

struct h1_writer {
    char *start;
    char *at;
    char *end;
    bool is_full; /* something did not fit: what was written is of no use */
};

static inline void h1_write_init(struct h1_writer *writer, char *memory, size_t capacity)
{
    *writer = (struct h1_writer){.start = memory, .at = memory, .end = memory + capacity};
}

/* Raw bytes. */
static inline void h1_write_bytes(struct h1_writer *writer, struct view bytes)
{
    if (UNLIKELY(bytes.size > (size_t)(writer->end - writer->at))) {
        writer->is_full = true;
        return;
    }
    memcpy(writer->at, bytes.data, bytes.size);
    writer->at += bytes.size;
}

/* METHOD SP TARGET SP HTTP/1.1 CRLF. */
void h1_write_request_line(struct h1_writer *writer, struct view method, struct view target);

/* HTTP/1.1 SP STATUS SP REASON CRLF; an empty reason becomes the standard one, or nothing. */
void h1_write_status_line(struct h1_writer *writer, uint16_t status, struct view reason);

/* NAME ": " VALUE CRLF. */
static inline void h1_write_field(struct h1_writer *writer, struct view name, struct view value)
{
    size_t size = name.size + value.size + 4;

    if (UNLIKELY(size > (size_t)(writer->end - writer->at))) {
        writer->is_full = true;
        return;
    }
    memcpy(writer->at, name.data, name.size);
    writer->at += name.size;
    *writer->at++ = ':';
    *writer->at++ = ' ';
    if (value.size)
        memcpy(writer->at, value.data, value.size);
    writer->at += value.size;
    *writer->at++ = '\r';
    *writer->at++ = '\n';
}

void h1_write_number_field(struct h1_writer *writer, struct view name, uint64_t value);

/* Content-Length, Transfer-Encoding: chunked, or nothing, as the framing says. */
void h1_write_framing(struct h1_writer *writer, struct body_framing body);

/* The empty line. */
static inline void h1_write_end(struct h1_writer *writer)
{
    h1_write_bytes(writer, VIEW("\r\n"));
}

/* What was written. */
static inline struct view h1_write_result(const struct h1_writer *writer)
{
    return view_between(writer->start, writer->at);
}

/* The standard reason phrase of a status (RFC 9110 15), or an empty view. */
struct view h1_write_reason(uint16_t status);
