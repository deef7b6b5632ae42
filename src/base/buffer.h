/*
 * Bytes that are kept: grows up to a limit, is consumed from the front.
 * Owner: the struct it is embedded in. An empty buffer holds no memory until the first byte.
 */
#pragma once

#include "base/attribute.h"
#include "base/view.h"

/* A limit may be that high. It keeps the struct small: every connection has two. */
#define BUFFER_LIMIT_MAX (1024 * 1024 * 1024)

struct buffer {
    char *data;
    uint32_t start;    /* of what is left */
    uint32_t end;      /* of what is there */
    uint32_t capacity; /* bytes allocated */
    uint32_t limit;    /* most bytes it may hold at once */
};

void buffer_init(struct buffer *buffer, size_t limit);

/* Frees the memory; the buffer can be used again. */
void buffer_finish(struct buffer *buffer);

static inline size_t buffer_size(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* What is there. Valid until the next call that is not a look. */
static inline struct view buffer_view(const struct buffer *buffer)
{
    return (struct view){buffer->data ? buffer->data + buffer->start : NULL, buffer_size(buffer)};
}

/* Makes room for `size` more bytes and returns where they go, or NULL where the limit forbids. */
char *buffer_reserve(struct buffer *buffer, size_t size);

/* Says that `size` of the reserved bytes were written. */
void buffer_commit(struct buffer *buffer, size_t size);

/* -ENOBUFS, buffer untouched, where the limit forbids. */
MUST_USE int buffer_append(struct buffer *buffer, struct view bytes);
MUST_USE int buffer_print(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* Takes `size` bytes off the front. */
void buffer_consume(struct buffer *buffer, size_t size);

/* Empties it and keeps the memory. */
void buffer_clear(struct buffer *buffer);
