#include "base/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

#define CAPACITY_MIN 512

void buffer_init(struct buffer *buffer, size_t limit)
{
    assert(limit <= BUFFER_LIMIT_MAX);
    *buffer = (struct buffer){.limit = (uint32_t)limit};
}

void buffer_finish(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){.limit = buffer->limit};
}

/* Room for `size` more bytes, whatever the limit. */
static char *make_room(struct buffer *buffer, size_t size)
{
    size_t held = buffer_size(buffer);
    size_t capacity = buffer->capacity ? buffer->capacity : CAPACITY_MIN;

    if (buffer->data && size <= buffer->capacity - buffer->end)
        return buffer->data + buffer->end;
    if (buffer->data && buffer->start) {
        memmove(buffer->data, buffer->data + buffer->start, held);
        buffer->start = 0;
        buffer->end = (uint32_t)held;
    }
    while (capacity < held + size)
        capacity *= 2;
    if (capacity != buffer->capacity) {
        buffer->data = memory_resize(buffer->data, capacity);
        buffer->capacity = (uint32_t)capacity;
    }
    return buffer->data + buffer->end;
}

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    return size <= buffer->limit - buffer_size(buffer) ? make_room(buffer, size) : NULL;
}

void buffer_commit(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->capacity - buffer->end);
    buffer->end += (uint32_t)size;
}

int buffer_append(struct buffer *buffer, struct view bytes)
{
    char *place;

    if (!bytes.size)
        return 0;
    place = buffer_reserve(buffer, bytes.size);
    if (!place)
        return -ENOBUFS;
    memcpy(place, bytes.data, bytes.size);
    buffer_commit(buffer, bytes.size);
    return 0;
}

int buffer_print(struct buffer *buffer, const char *format, ...)
{
    va_list values;
    char *place;
    int size;

    va_start(values, format);
    size = vsnprintf(NULL, 0, format, values);
    va_end(values);
    assert(size >= 0);
    if ((size_t)size > buffer->limit - buffer_size(buffer))
        return -ENOBUFS;
    /* The zero behind the text is vsnprintf's: it needs room and does not count. */
    place = make_room(buffer, (size_t)size + 1);
    va_start(values, format);
    vsnprintf(place, (size_t)size + 1, format, values);
    va_end(values);
    buffer_commit(buffer, (size_t)size);
    return 0;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    assert(size <= buffer_size(buffer));
    buffer->start += (uint32_t)size;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->start = buffer->end = 0;
}
