/*
 * Reads a chunked body whole, cut in two at every byte, and byte by byte, and insists on one
 * result, one body, one trailer section and one end. Shared by unit tests and fuzz targets.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "http/h1_chunk.h"

#define ANY_CUT_CHUNK_BYTES_MAX (128 * 1024)

/* Longer inputs are not cut at every byte but at about so many places. */
#define ANY_CUT_CHUNK_PLACES 1024

struct any_cut_chunk {
    enum h1_chunk_result result;
    size_t consumed;
    size_t size;
    char body[ANY_CUT_CHUNK_BYTES_MAX];
    struct h1_chunk_reader reader;
};

/* Reads `bytes` from memory of exactly their size. False when there is nothing more to feed. */
static inline bool any_cut_chunk_feed(struct any_cut_chunk *at, struct view bytes)
{
    char *copy = malloc(bytes.size ? bytes.size : 1);
    struct view left = {copy, bytes.size};
    struct view data = {NULL, 0};

    memcpy(copy, bytes.data ? bytes.data : "", bytes.size);
    while ((at->result = h1_chunk_read(&at->reader, &left, &data)) == H1_CHUNK_DATA) {
        if (!data.size || data.size > sizeof(at->body) - at->size)
            abort();
        memcpy(at->body + at->size, data.data, data.size);
        at->size += data.size;
    }
    if (at->result == H1_CHUNK_MORE && left.size)
        abort();
    at->consumed += bytes.size - left.size;
    free(copy);
    return at->result == H1_CHUNK_MORE;
}

/* In pieces: the first of `first` bytes, the others of `step`. */
static inline void any_cut_chunk_read(struct any_cut_chunk *at, struct view input, size_t first,
                                      size_t step)
{
    size_t fed = first;
    bool is_open;

    h1_chunk_finish(&at->reader);
    h1_chunk_init(&at->reader);
    at->consumed = at->size = 0;
    is_open = any_cut_chunk_feed(at, view_first(input, first));
    while (is_open && fed < input.size) {
        is_open = any_cut_chunk_feed(at, view_first(view_after(input, fed), step));
        fed += step;
    }
}

static inline bool any_cut_chunk_same_trailer(const struct buffer *a, const struct buffer *b)
{
    size_t size = buffer_size(a);

    return buffer_size(b) == size &&
           (!size || memcmp(buffer_view(a).data, buffer_view(b).data, size) == 0);
}

static inline void any_cut_chunk_insist(const struct any_cut_chunk *whole,
                                        const struct any_cut_chunk *cut, size_t place)
{
    bool is_same = whole->result == cut->result;

    if (is_same && whole->result != H1_CHUNK_BAD)
        is_same = whole->consumed == cut->consumed && whole->size == cut->size &&
                  memcmp(whole->body, cut->body, cut->size) == 0 &&
                  any_cut_chunk_same_trailer(&whole->reader.trailer, &cut->reader.trailer);
    if (is_same)
        return;
    fprintf(stderr, "cut at %zu: result %d consumed %zu body %zu, whole: %d %zu %zu\n", place,
            (int)cut->result, cut->consumed, cut->size, (int)whole->result, whole->consumed,
            whole->size);
    abort();
}

/* The body whole, checked against every cut. Owner: this file; valid until the next call. */
static inline struct any_cut_chunk *any_cut_chunk_parse(struct view input)
{
    static struct any_cut_chunk whole, cut;

    any_cut_chunk_read(&whole, input, input.size, 1);
    for (size_t place = 0; place < input.size; place += 1 + input.size / ANY_CUT_CHUNK_PLACES) {
        any_cut_chunk_read(&cut, input, place, input.size);
        any_cut_chunk_insist(&whole, &cut, place);
    }
    any_cut_chunk_read(&cut, input, 1, 1);
    any_cut_chunk_insist(&whole, &cut, 1);
    any_cut_chunk_read(&cut, input, 1, 3);
    any_cut_chunk_insist(&whole, &cut, 3);
    return &whole;
}
