#include "conn/inbound_answer.h"

#include <assert.h>

#include "conn/chunk_out.h"
#include "conn/inbound_life.h"
#include "conn/pace.h"
#include "http/h1_write.h"

/* Room for the lines that frame an answer and govern its connection. */
#define FRAME_BYTES_MAX 128

static struct inbound *from_stream(struct stream *stream)
{
    return CONTAINER_OF(stream, struct inbound, stream);
}

/* Can the rest of the request be thrown away and the connection be used again? Not where the client
 * may be waiting for a 100 that will not come: what it sends next could be either (RFC 9110
 * 10.1.1). */
static bool can_discard(const struct inbound *inbound)
{
    return !inbound->awaits_continue && inbound->left <= INBOUND_DISCARD_BYTES_MAX;
}

static void begin_discarding(struct inbound *inbound)
{
    inbound->is_discarding = true;
    inbound->held = 0;
    sock_limit_receive(&inbound->sock, 0);
    inbound_life_set_deadline(inbound, inbound->group->settings.idle_timeout_ms);
    if (!inbound->is_processing)
        inbound_life_update_pause(inbound);
}

static void finish_answer(struct inbound *inbound)
{
    bool is_early = inbound->state == INBOUND_BODY;

    inbound->is_answer_done = true;
    inbound->stream.events = NULL;
    if (inbound->group->is_draining || (is_early && !can_discard(inbound)))
        inbound->wants_close = true;
    if (inbound->wants_close) {
        /* One that said close and whose request is whole has nothing more to say. */
        inbound_life_close(inbound,
                           is_early || !inbound->says_close || buffer_size(&inbound->kept));
        return;
    }
    if (is_early)
        begin_discarding(inbound);
    else
        inbound_life_begin_rest(inbound);
}

static void send_interim(struct stream *stream, struct view text)
{
    struct inbound *inbound = from_stream(stream);

    if (inbound->minor_version == 0)
        return;
    if (view_starts_with(text, VIEW("HTTP/1.1 100 ")))
        inbound->awaits_continue = false;
    sock_write(&inbound->sock, text);
    sock_write(&inbound->sock, VIEW("\r\n"));
}

/* How the answer is framed on this connection (RFC 9112 6.3). */
static struct body_framing frame_answer(struct inbound *inbound, const struct stream_head *head)
{
    struct body_framing body = head->body;

    if (body.kind != FRAMING_CHUNKED && body.kind != FRAMING_CLOSE)
        return body;
    if (inbound->minor_version == 0) {
        inbound->wants_close = true;
        body.kind = FRAMING_CLOSE;
        return body;
    }
    body.kind = FRAMING_CHUNKED;
    return body;
}

static void begin_tunnel(struct inbound *inbound)
{
    inbound->state = INBOUND_TUNNEL;
    inbound->is_request_done = false;
    if (buffer_size(&inbound->kept) || inbound->has_fin)
        loop_make_ready(inbound->group->socks->loop, &inbound->again);
}

/* An error before the request is whole mostly ends the connection: the client is told so where we
 * know it (RFC 9110 10.1.1, RFC 9112 9.6). */
static bool is_known_to_close(const struct inbound *inbound, const struct stream_head *head)
{
    if (head->must_close || inbound->group->is_draining || inbound->has_fin)
        return true;
    return inbound->state == INBOUND_BODY && head->status >= 300 && !can_discard(inbound);
}

static void send_head(struct stream *stream, const struct stream_head *head)
{
    struct inbound *inbound = from_stream(stream);
    struct body_framing body = frame_answer(inbound, head);
    struct h1_writer writer;
    char *text;

    if (is_known_to_close(inbound, head))
        inbound->wants_close = true;
    inbound->has_answer_head = true;
    inbound->answer_framing = (uint8_t)body.kind;
    /* Before the next text is got: that may need the room. */
    sock_write(&inbound->sock, head->text);
    text = sock_text(inbound->group->socks, FRAME_BYTES_MAX);
    h1_write_init(&writer, text, FRAME_BYTES_MAX);
    h1_write_framing(&writer, body);
    if (body.kind == FRAMING_TUNNEL)
        h1_write_field(&writer, VIEW("Connection"), VIEW("Upgrade"));
    else if (inbound->wants_close)
        h1_write_field(&writer, VIEW("Connection"), VIEW("close"));
    else if (inbound->minor_version == 0)
        h1_write_field(&writer, VIEW("Connection"), VIEW("keep-alive"));
    h1_write_end(&writer);
    sock_text_trim(inbound->group->socks, (size_t)(writer.end - writer.at));
    sock_write(&inbound->sock, h1_write_result(&writer));
    if (body.kind == FRAMING_TUNNEL)
        begin_tunnel(inbound);
}

static void send_body(struct stream *stream, struct view bytes)
{
    struct inbound *inbound = from_stream(stream);

    if (!bytes.size || inbound->answer_framing == FRAMING_NONE || inbound->method == METHOD_HEAD)
        return;
    if (inbound->answer_framing != FRAMING_CHUNKED) {
        sock_write(&inbound->sock, bytes);
        return;
    }
    chunk_out_write(&inbound->sock, bytes);
}

static void send_end(struct stream *stream, struct view trailers)
{
    struct inbound *inbound = from_stream(stream);

    if (inbound->state == INBOUND_TUNNEL) {
        sock_shut(&inbound->sock);
        inbound->is_answer_done = true;
        if (inbound->is_request_done)
            inbound_life_close(inbound, false);
        return;
    }
    if (inbound->answer_framing == FRAMING_CHUNKED && inbound->method != METHOD_HEAD)
        chunk_out_end(&inbound->sock, trailers);
    finish_answer(inbound);
}

static void consumed(struct stream *stream, size_t bytes)
{
    struct inbound *inbound = from_stream(stream);

    /* The answer may be complete by now: nobody's credit is waited for. */
    if (inbound->is_discarding)
        return;
    assert(bytes <= inbound->held);
    inbound->held -= bytes;
    if (inbound->is_processing)
        return;
    /* It was we who were slow. */
    if (inbound->state == INBOUND_BODY && !inbound->held)
        pace_begin(inbound);
    inbound_life_update_pause(inbound);
}

static size_t queued(struct stream *stream)
{
    return sock_queued_now(&from_stream(stream)->sock);
}

static uint64_t sent(struct stream *stream)
{
    struct inbound *inbound = from_stream(stream);

    return sock_sent_now(&inbound->sock) - inbound->sent_before;
}

static size_t owed(struct stream *stream)
{
    return sock_owed(&from_stream(stream)->sock);
}

static void reset(struct stream *stream)
{
    struct inbound *inbound = from_stream(stream);

    inbound->stream.events = NULL;
    if (inbound->has_answer_head)
        inbound_life_abort(inbound);
    else
        inbound_life_close(inbound, true);
}

const struct stream_calls inbound_answer_calls = {
    .send_interim = send_interim,
    .send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .consumed = consumed,
    .queued = queued,
    .sent = sent,
    .owed = owed,
    .reset = reset,
};

void inbound_answer(struct stream *stream, uint16_t status, struct view fields, struct view body)
{
    stream_answer(stream, from_stream(stream)->group->socks, status, fields, body);
}
