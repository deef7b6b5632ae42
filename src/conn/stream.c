#include "conn/stream.h"

#include <assert.h>

#include "http/h1_write.h"
#include "net/sock.h"

/* Room for a status line of ours. */
#define STATUS_LINE_BYTES_MAX 128

void stream_answer(struct stream *stream, struct sock_group *socks, uint16_t status,
                   struct view fields, struct view body)
{
    size_t capacity = fields.size + STATUS_LINE_BYTES_MAX;
    char *text = sock_text(socks, capacity);
    struct stream_head head = {.status = status, .body = {FRAMING_LENGTH, body.size}};
    struct h1_writer writer;

    assert(text);
    h1_write_init(&writer, text, capacity);
    h1_write_status_line(&writer, status, (struct view){NULL, 0});
    h1_write_bytes(&writer, fields);
    sock_text_trim(socks, (size_t)(writer.end - writer.at));
    head.text = h1_write_result(&writer);
    stream_send_head(stream, &head);
    stream_send_body(stream, body);
    stream_send_end(stream, (struct view){NULL, 0});
}
