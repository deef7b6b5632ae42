#include "conn/outbound_request.h"

#include <assert.h>

#include "conn/chunk_out.h"
#include "conn/outbound_life.h"
#include "http/h1_write.h"

/* Room for the lines that frame a request. */
#define FRAME_BYTES_MAX 160

static struct outbound *from_stream(struct stream *stream)
{
    return CONTAINER_OF(stream, struct outbound, stream);
}

static void send_head(struct stream *stream, const struct stream_head *head)
{
    struct outbound *outbound = from_stream(stream);
    struct h1_writer writer;
    char *text;

    outbound->method = (uint8_t)head->method;
    outbound->asks_upgrade = head->asks_upgrade;
    outbound->request_framing = (uint8_t)head->body.kind;
    /* Before the next text is got: that may need the room. */
    sock_write(&outbound->sock, head->text);
    text = sock_text(outbound->pool->socks, FRAME_BYTES_MAX);
    h1_write_init(&writer, text, FRAME_BYTES_MAX);
    h1_write_framing(&writer, head->body);
    if (head->asks_upgrade)
        h1_write_field(&writer, VIEW("Connection"), VIEW("Upgrade"));
    h1_write_end(&writer);
    sock_text_trim(outbound->pool->socks, (size_t)(writer.end - writer.at));
    sock_write(&outbound->sock, h1_write_result(&writer));
}

static void send_body(struct stream *stream, struct view bytes)
{
    struct outbound *outbound = from_stream(stream);

    if (!bytes.size)
        return;
    if (outbound->request_framing != FRAMING_CHUNKED || outbound->state == OUTBOUND_TUNNEL) {
        sock_write(&outbound->sock, bytes);
        return;
    }
    chunk_out_write(&outbound->sock, bytes);
}

static void send_end(struct stream *stream, struct view trailers)
{
    struct outbound *outbound = from_stream(stream);

    if (outbound->state == OUTBOUND_TUNNEL) {
        outbound->is_request_done = true;
        sock_shut(&outbound->sock);
        if (outbound->is_answer_done)
            outbound_life_close(outbound);
        return;
    }
    outbound->is_request_done = true;
    if (outbound->request_framing == FRAMING_CHUNKED)
        chunk_out_end(&outbound->sock, trailers);
}

static void consumed(struct stream *stream, size_t bytes)
{
    struct outbound *outbound = from_stream(stream);

    /* The answer may be complete and the connection somebody else's by now. */
    if (outbound->stream.events == NULL)
        return;
    assert(bytes <= outbound->held);
    outbound->held -= bytes;
    if (!outbound->is_processing)
        outbound_life_update_pause(outbound);
}

static size_t queued(struct stream *stream)
{
    return sock_queued_now(&from_stream(stream)->sock);
}

static uint64_t sent(struct stream *stream)
{
    struct outbound *outbound = from_stream(stream);

    return sock_sent_now(&outbound->sock) - outbound->sent_before;
}

static size_t owed(struct stream *stream)
{
    return sock_owed(&from_stream(stream)->sock);
}

static void reset(struct stream *stream)
{
    struct outbound *outbound = from_stream(stream);

    outbound_life_abort(outbound);
}

const struct stream_calls outbound_request_calls = {
    .send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .consumed = consumed,
    .queued = queued,
    .sent = sent,
    .owed = owed,
    .reset = reset,
};
