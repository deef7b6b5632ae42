/*
 * Any bytes as a chunked body. Whole and cut anywhere give one body, one trailer section and one
 * end; written anew with our own prefixes the body is read again as the same.
 */
#include <stdint.h>

#include "../unit/http/any_cut_chunk.h"
#include "insist.h"

/* Longer inputs say nothing new and take long to cut. */
#define INPUT_BYTES_MAX (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The body as one chunk and the same trailer section. */
static struct view write_anew(const struct any_cut_chunk *got, char *text)
{
    struct view trailer = {NULL, 0};
    size_t at = 0;

    if (buffer_size(&got->reader.trailer))
        trailer = buffer_view(&got->reader.trailer);
    if (got->size) {
        at = h1_chunk_prefix(got->size, text);
        memcpy(text + at, got->body, got->size);
        memcpy(text + at + got->size, "\r\n", 2);
        at += got->size + 2;
    }
    memcpy(text + at, "0\r\n", 3);
    if (trailer.size)
        memcpy(text + at + 3, trailer.data, trailer.size);
    memcpy(text + at + 3 + trailer.size, "\r\n", 2);
    return (struct view){text, at + 5 + trailer.size};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[ANY_CUT_CHUNK_BYTES_MAX + H1_TRAILER_BYTES_MAX + 64];
    static struct any_cut_chunk again;
    static struct field fields[HEAD_FIELDS_MAX];
    struct any_cut_chunk *got;
    struct view bytes;
    int count;

    if (size > INPUT_BYTES_MAX)
        return 0;
    got = any_cut_chunk_parse((struct view){(const char *)data, size});
    if (got->result != H1_CHUNK_END)
        return 0;
    bytes = write_anew(got, text);
    any_cut_chunk_read(&again, bytes, bytes.size, 1);
    INSIST(again.result == H1_CHUNK_END && again.consumed == bytes.size);
    INSIST(again.size == got->size && memcmp(again.body, got->body, got->size) == 0);
    /* The section was checked when it was read; only the number of fields can be too large. */
    count = h1_chunk_trailers(&got->reader, fields);
    INSIST(count >= 0 || buffer_size(&got->reader.trailer) > HEAD_FIELDS_MAX * 4);
    return 0;
}
