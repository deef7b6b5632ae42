/* Our own reader for the comparison with others: one message, its body included. */
#include "reading.h"

#include "http/h1_chunk.h"
#include "http/h1_parse.h"

static const struct h1_limits limits = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX};

static char body[READING_BYTES_MAX];

/* Bytes of the body in the stream, or -1 where it is bad or not whole. */
static long read_chunked(struct view bytes, size_t *body_size)
{
    struct h1_chunk_reader reader;
    enum h1_chunk_result result;
    struct view rest = bytes, data;

    h1_chunk_init(&reader);
    while ((result = h1_chunk_read(&reader, &rest, &data)) == H1_CHUNK_DATA) {
        memcpy(body + *body_size, data.data, data.size);
        *body_size += data.size;
    }
    h1_chunk_finish(&reader);
    return result == H1_CHUNK_END ? (long)(bytes.size - rest.size) : -1;
}

static long read_body(struct body_framing framing, struct view bytes, size_t *body_size)
{
    *body_size = 0;
    if (framing.kind == FRAMING_CHUNKED)
        return read_chunked(bytes, body_size);
    if (framing.kind == FRAMING_NONE || framing.kind == FRAMING_TUNNEL)
        return 0;
    if (framing.kind == FRAMING_LENGTH && framing.length > bytes.size)
        return -1;
    *body_size = framing.kind == FRAMING_LENGTH ? (size_t)framing.length : bytes.size;
    memcpy(body, bytes.data, *body_size);
    return (long)*body_size;
}

static void print_fields(const struct head *head)
{
    for (uint16_t i = 0; i < head->field_count; i++) {
        reading_print(head->fields[i].name.data, head->fields[i].name.size);
        reading_print(head->fields[i].value.data, head->fields[i].value.size);
    }
}

static void read_message(char kind, struct view bytes)
{
    static struct field fields[HEAD_FIELDS_MAX];
    struct head head = {.fields = fields};
    struct body_framing framing;
    struct h1_verdict verdict;
    size_t scanned = 0, body_size;
    long size;

    if (kind == 'q')
        verdict = h1_parse_request(bytes, &limits, &scanned, &head);
    else
        verdict = h1_parse_answer(bytes, &limits, &scanned, &head);
    if (verdict.result != H1_DONE) {
        printf(verdict.result == H1_BAD ? "bad\n" : "more\n");
        return;
    }
    framing = kind == 'q'
                  ? head.body
                  : head_answer_framing(&head, kind == 'h' ? METHOD_HEAD : METHOD_GET, true);
    size = read_body(framing, view_after(bytes, verdict.size), &body_size);
    if (size < 0) {
        printf("body\n");
        return;
    }
    printf("ok %zu %d", verdict.size + (size_t)size, head.status);
    reading_print(head.method_text.data, head.method_text.size);
    reading_print(head.target.data, head.target.size);
    reading_print(body, body_size);
    print_fields(&head);
    printf("\n");
}

int main(void)
{
    static char bytes[READING_BYTES_MAX];
    size_t size;
    char kind;

    while (reading_next(&kind, bytes, &size))
        read_message(kind, (struct view){bytes, size});
    return 0;
}
