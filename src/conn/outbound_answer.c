#include "conn/outbound_answer.h"

#include "conn/outbound_life.h"

static struct outbound *from_sock(struct sock *sock)
{
    return CONTAINER_OF(sock, struct outbound, sock);
}

/* Whole on both sides and nothing left over: the next request may have it (RFC 9112 9.3). */
static void finish_answer(struct outbound *outbound, bool has_rest, const struct field *trailers,
                          unsigned count)
{
    const struct stream_events *events = outbound->stream.events;
    bool is_reusable = outbound->is_request_done && !outbound->says_close && !has_rest &&
                       !sock_queued(&outbound->sock) && sock_is_whole(&outbound->sock);

    outbound->stream.events = NULL;
    events->on_end(&outbound->stream, trailers, count);
    if (outbound->state == OUTBOUND_CLOSED)
        return;
    if (is_reusable) {
        outbound_life_keep(outbound);
        return;
    }
    /* A replica that has not been sent everything may be waiting for it still. */
    if (outbound->is_request_done)
        outbound_life_close(outbound);
    else
        outbound_life_abort(outbound);
}

/* ---- bodies ---- */

static bool tell_body(struct outbound *outbound, struct view data)
{
    outbound->held += data.size;
    outbound->stream.events->on_body(&outbound->stream, data);
    if (outbound->state == OUTBOUND_CLOSED)
        return false;
    sock_limit_receive(&outbound->sock, outbound->held ? SOCK_RECEIVE_TIGHT_BYTES : 0);
    return true;
}

static size_t take_length(struct outbound *outbound, struct view bytes)
{
    struct view data =
        view_first(bytes, outbound->left < bytes.size ? (size_t)outbound->left : bytes.size);

    outbound->left -= data.size;
    if (tell_body(outbound, data) && outbound->left == 0)
        finish_answer(outbound, data.size < bytes.size, NULL, 0);
    return data.size;
}

static void end_chunked(struct outbound *outbound, bool has_rest)
{
    struct field *fields = outbound->pool->fields;
    int count = h1_chunk_trailers(&outbound->chunks, fields);

    if (count < 0) {
        outbound_life_fail(outbound, STREAM_BAD, "the trailer section of the answer is malformed");
        return;
    }
    finish_answer(outbound, has_rest, fields, (unsigned)count);
}

static size_t take_chunked(struct outbound *outbound, struct view bytes)
{
    struct view rest = bytes;

    for (;;) {
        struct view data;

        switch (h1_chunk_read(&outbound->chunks, &rest, &data)) {
        case H1_CHUNK_DATA:
            if (!tell_body(outbound, data))
                return bytes.size;
            break;
        case H1_CHUNK_MORE:
            return bytes.size;
        case H1_CHUNK_BAD:
            outbound_life_fail(outbound, STREAM_BAD, "the chunked body of the answer is malformed");
            return bytes.size;
        case H1_CHUNK_END:
            end_chunked(outbound, rest.size > 0);
            return bytes.size - rest.size;
        }
    }
}

static size_t take_body(struct outbound *outbound, struct view bytes)
{
    if (outbound->answer_framing == FRAMING_CHUNKED)
        return take_chunked(outbound, bytes);
    if (outbound->answer_framing == FRAMING_LENGTH)
        return take_length(outbound, bytes);
    tell_body(outbound, bytes);
    return bytes.size;
}

/* ---- heads ---- */

static bool is_interim(const struct outbound *outbound, const struct head *head)
{
    return head->status < 200 && !(head->status == 101 && outbound->asks_upgrade);
}

static void tell_interim(struct outbound *outbound, const struct head *head)
{
    outbound->scanned = 0;
    if (head->status == 101) {
        outbound_life_fail(outbound, STREAM_BAD,
                           "the replica switched protocols without being asked");
        return;
    }
    if (++outbound->interims > OUTBOUND_INTERIM_MAX) {
        outbound_life_fail(outbound, STREAM_BAD, "the replica sent too many interim answers");
        return;
    }
    if (outbound->stream.events->on_interim)
        outbound->stream.events->on_interim(&outbound->stream, head);
}

static void begin_answer(struct outbound *outbound, struct head *head)
{
    head->body = head_answer_framing(head, (enum method)outbound->method, outbound->asks_upgrade);
    outbound->answer_framing = (uint8_t)head->body.kind;
    outbound->left = head->body.kind == FRAMING_LENGTH ? head->body.length : 0;
    outbound->says_close |= head->says_close || head->body.kind == FRAMING_CLOSE;
    outbound->state = head->body.kind == FRAMING_TUNNEL ? OUTBOUND_TUNNEL : OUTBOUND_BODY;
    if (head->body.kind == FRAMING_CHUNKED) {
        h1_chunk_finish(&outbound->chunks);
        h1_chunk_init(&outbound->chunks);
    }
    /* The request's own end came before; from here on it is the tunnel's. */
    if (head->body.kind == FRAMING_TUNNEL)
        outbound->is_request_done = false;
    outbound_life_note_alive(outbound);
    outbound->stream.events->on_head(&outbound->stream, head);
}

static size_t take_head(struct outbound *outbound, struct view bytes)
{
    struct outbound_pool *pool = outbound->pool;
    struct head head;
    struct h1_verdict verdict;

    head.fields = pool->fields;
    verdict = h1_parse_answer(bytes, &pool->settings.limits, &outbound->scanned, &head);
    if (verdict.result == H1_MORE)
        return 0;
    if (verdict.result == H1_BAD) {
        outbound_life_fail(outbound, STREAM_BAD, verdict.reason);
        return bytes.size;
    }
    if (is_interim(outbound, &head)) {
        tell_interim(outbound, &head);
        return verdict.size;
    }
    begin_answer(outbound, &head);
    if (outbound->state == OUTBOUND_BODY &&
        (head.body.kind == FRAMING_NONE || (head.body.kind == FRAMING_LENGTH && !outbound->left)))
        finish_answer(outbound, verdict.size < bytes.size, NULL, 0);
    return verdict.size;
}

/* ---- bytes ---- */

static size_t take_some(struct outbound *outbound, struct view bytes)
{
    switch (outbound->state) {
    case OUTBOUND_HEAD:
        return take_head(outbound, bytes);
    case OUTBOUND_BODY:
        return take_body(outbound, bytes);
    case OUTBOUND_TUNNEL:
        tell_body(outbound, bytes);
        return bytes.size;
    default:
        return 0;
    }
}

/* Says how much could be understood; the connection may have ended or gone back to the pool. */
static size_t take_all(struct outbound *outbound, struct view bytes)
{
    struct view rest = bytes;

    outbound->is_processing = true;
    while (rest.size) {
        size_t taken = take_some(outbound, rest);

        if (outbound->state == OUTBOUND_CLOSED || outbound->state == OUTBOUND_IDLE)
            return bytes.size;
        if (taken == 0)
            break;
        rest = view_after(rest, taken);
    }
    outbound->is_processing = false;
    return bytes.size - rest.size;
}

/* Keeps what is not understood yet; false where the connection ended with it. */
static bool keep(struct outbound *outbound, struct view bytes)
{
    if (buffer_append(&outbound->kept, bytes) == 0)
        return true;
    outbound_life_fail(outbound, STREAM_BAD, "the head of the answer is too large");
    return false;
}

static void take_kept(struct outbound *outbound)
{
    size_t taken = take_all(outbound, buffer_view(&outbound->kept));

    if (outbound->state == OUTBOUND_CLOSED)
        return;
    if (outbound->state == OUTBOUND_IDLE)
        taken = buffer_size(&outbound->kept);
    buffer_consume(&outbound->kept, taken);
    if (buffer_size(&outbound->kept) == 0)
        outbound_life_forget_kept(outbound);
    if (outbound->state != OUTBOUND_IDLE)
        outbound_life_update_pause(outbound);
}

void outbound_answer_on_bytes(struct sock *sock, struct view bytes)
{
    struct outbound *outbound = from_sock(sock);

    /* Nobody asked: whatever it is, it is not an answer to the next request. */
    if (outbound->state == OUTBOUND_IDLE) {
        outbound_life_abort(outbound);
        return;
    }
    /* Before a byte of the request has left nothing can be its answer. */
    if (outbound->state == OUTBOUND_HEAD && sock_sent(sock) == outbound->sent_before) {
        outbound_life_fail(outbound, STREAM_CLOSED, "bytes came before the request was sent");
        return;
    }
    if (buffer_size(&outbound->kept)) {
        if (keep(outbound, bytes))
            take_kept(outbound);
        return;
    }
    bytes = view_after(bytes, take_all(outbound, bytes));
    if (outbound->state == OUTBOUND_CLOSED || outbound->state == OUTBOUND_IDLE)
        return;
    if (!bytes.size || keep(outbound, bytes))
        outbound_life_update_pause(outbound);
}

void outbound_answer_on_fin(struct sock *sock)
{
    struct outbound *outbound = from_sock(sock);

    switch (outbound->state) {
    case OUTBOUND_IDLE:
        outbound_life_close(outbound);
        return;
    case OUTBOUND_TUNNEL:
        outbound->is_answer_done = true;
        outbound->stream.events->on_end(&outbound->stream, NULL, 0);
        if (outbound->state == OUTBOUND_TUNNEL && outbound->is_request_done)
            outbound_life_close(outbound);
        return;
    case OUTBOUND_BODY:
        if (outbound->answer_framing == FRAMING_CLOSE) {
            finish_answer(outbound, false, NULL, 0);
            return;
        }
        outbound_life_fail(outbound, STREAM_BAD, "the replica closed before its answer was whole");
        return;
    default:
        outbound_life_fail_early(outbound, "the replica closed without an answer");
        return;
    }
}
