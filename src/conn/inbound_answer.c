#include <assert.h>

#include "conn/inbound.h"
#include "http/h1_write.h"

/* Room for a status line of ours. */
#define STATUS_LINE_BYTES_MAX 128

void inbound_answer(struct stream *stream, uint16_t status, struct view fields, struct view body)
{
    struct inbound *inbound = inbound_of(stream);
    size_t capacity = fields.size + STATUS_LINE_BYTES_MAX;
    char *text = sock_text(inbound->group->socks, capacity);
    struct stream_head head = {.status = status, .body = {FRAMING_LENGTH, body.size}};
    struct h1_writer writer;

    assert(text);
    h1_write_init(&writer, text, capacity);
    h1_write_status_line(&writer, status, (struct view){NULL, 0});
    h1_write_bytes(&writer, fields);
    sock_text_trim(inbound->group->socks, (size_t)(writer.end - writer.at));
    head.text = h1_write_result(&writer);
    stream_send_head(stream, &head);
    stream_send_body(stream, body);
    stream_send_end(stream, (struct view){NULL, 0});
}
