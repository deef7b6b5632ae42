#include "conn/inbound.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "conn/pace.h"
#include "conn/refusal.h"
#include "http/h1_write.h"

/* A head that is not whole yet, and what one receive may bring behind it. */
#define KEPT_BYTES_MAX (HEAD_BYTES_MAX + SOCK_RECEIVE_BYTES)

/* Room for the lines that frame an answer and govern its connection. */
#define FRAME_BYTES_MAX 128

enum state {
    STATE_HEAD,   /* between requests, or in the middle of a head */
    STATE_BODY,   /* the head was told, the body is coming in */
    STATE_ANSWER, /* the request is whole, its answer is not */
    STATE_TUNNEL,
    STATE_CLOSED,
};

static const struct sock_events sock_events_;
static const struct stream_calls stream_calls_;

static struct inbound *from_sock(struct sock *sock)
{
    return CONTAINER_OF(sock, struct inbound, sock);
}

static struct inbound *from_stream(struct stream *stream)
{
    return CONTAINER_OF(stream, struct inbound, stream);
}

struct inbound *inbound_of(struct stream *stream)
{
    return stream->calls == &stream_calls_ ? from_stream(stream) : NULL;
}

/* ---- the end of a connection ---- */

static void on_destroy(struct sock *sock)
{
    struct inbound *inbound = from_sock(sock);
    struct inbound_group *group = inbound->group;

    group->count--;
    if (group->events->on_closed)
        group->events->on_closed(inbound);
    pool_give(&group->pool, inbound);
}

static void forget_chunks(struct inbound *inbound)
{
    if (!inbound->chunks)
        return;
    h1_chunk_finish(inbound->chunks);
    free(inbound->chunks);
    inbound->chunks = NULL;
}

/* What was kept may be among the pieces that are about to be sent: they leave first. */
static void forget_kept(struct inbound *inbound)
{
    if (!inbound->kept.data)
        return;
    sock_group_settle(inbound->group->socks);
    buffer_finish(&inbound->kept);
}

static void retire(struct inbound *inbound)
{
    inbound->state = STATE_CLOSED;
    inbound->stream.events = NULL;
    ready_cancel(&inbound->again);
    list_remove(&inbound->list);
    forget_kept(inbound);
    forget_chunks(inbound);
}

static void close_inbound(struct inbound *inbound, bool lingers)
{
    retire(inbound);
    sock_close(&inbound->sock, lingers, on_destroy);
}

static void abort_inbound(struct inbound *inbound)
{
    retire(inbound);
    sock_abort(&inbound->sock, on_destroy);
}

/* Tells the holder, if there is one, that there is nothing more to come. */
static void tell_reset(struct inbound *inbound, enum stream_failure failure, const char *why)
{
    const struct stream_events *events = inbound->stream.events;

    inbound->stream.events = NULL;
    if (events)
        events->on_reset(&inbound->stream, failure, why);
}

/* ---- refusing ---- */

/* The client broke a rule or a limit: it is told, unless an answer is under way, and the connection
 * ends. */
static void refuse(struct inbound *inbound, uint16_t status, enum stream_failure failure,
                   const char *reason)
{
    bool has_begun = inbound->has_answer_head;

    /* Between requests nothing of the last one counts. */
    if (inbound->state == STATE_HEAD)
        inbound->method = METHOD_OTHER;
    tell_reset(inbound, failure, reason);
    if (has_begun) {
        abort_inbound(inbound);
        return;
    }
    refusal_write(inbound, status, reason);
    close_inbound(inbound, true);
}

/* ---- deadlines ---- */

static void set_deadline(struct inbound *inbound, uint32_t after_ms)
{
    sock_set_deadline(&inbound->sock, after_ms * CLOCK_US_PER_MS);
}

static void on_deadline(struct sock *sock)
{
    struct inbound *inbound = from_sock(sock);

    switch (inbound->state) {
    case STATE_HEAD:
        if (buffer_size(&inbound->kept))
            refuse(inbound, 408, STREAM_TIMED_OUT, "the head did not arrive in time");
        else
            close_inbound(inbound, true);
        return;
    case STATE_BODY:
        if (inbound->is_discarding) {
            close_inbound(inbound, true);
            return;
        }
        /* While we hold its bytes the client cannot be blamed for sending none. */
        if (inbound->held) {
            set_deadline(inbound, inbound->group->settings.idle_timeout_ms);
            return;
        }
        refuse(inbound, 408, STREAM_TIMED_OUT, "the body did not arrive in time");
        return;
    default:
        /* The answer is the holder's business; the deadline is set anew when it is complete. */
        sock_watch(sock);
    }
}

/* ---- taking requests ---- */

static void update_pause(struct inbound *inbound)
{
    bool waits = inbound->state == STATE_ANSWER && buffer_size(&inbound->kept);

    if (inbound->held || waits)
        sock_pause(&inbound->sock);
    else
        sock_resume(&inbound->sock);
}

/* Request and answer are over: the connection is free for the next one. */
static void begin_rest(struct inbound *inbound)
{
    inbound->state = STATE_HEAD;
    inbound->has_answer_head = false;
    inbound->was_told = false;
    inbound->is_discarding = false;
    set_deadline(inbound, inbound->group->settings.idle_timeout_ms);
    if (buffer_size(&inbound->kept) || inbound->has_fin) {
        loop_make_ready(inbound->group->socks->loop, &inbound->again);
        return;
    }
    sock_resume(&inbound->sock);
}

static void end_request(struct inbound *inbound, const struct field *trailers, unsigned count)
{
    const struct stream_events *events = inbound->stream.events;

    inbound->is_request_done = true;
    if (inbound->is_discarding) {
        begin_rest(inbound);
        return;
    }
    if (inbound->state == STATE_BODY)
        inbound->state = STATE_ANSWER;
    if (events)
        events->on_end(&inbound->stream, trailers, count);
}

/* A piece of a body nobody wants any more; false at the end of our patience. */
static bool discard_body(struct inbound *inbound, struct view data)
{
    inbound->discarded += (uint32_t)data.size;
    if (inbound->discarded > INBOUND_DISCARD_BYTES_MAX)
        close_inbound(inbound, true);
    return inbound->state != STATE_CLOSED;
}

/* Tells a piece of the body; false where the connection ended with it. */
static bool tell_body(struct inbound *inbound, struct view data)
{
    inbound->awaits_continue = false;
    if (inbound->is_discarding)
        return discard_body(inbound, data);
    inbound->body_bytes += data.size;
    if (inbound->body_bytes > inbound->group->settings.body_bytes_max) {
        refuse(inbound, 413, STREAM_TOO_LARGE, "the body is larger than limits.body-bytes");
        return false;
    }
    inbound->held += data.size;
    inbound->stream.events->on_body(&inbound->stream, data);
    if (inbound->state == STATE_CLOSED)
        return false;
    /* A holder that could not dispose of it at once is slow: less at a time until it can. */
    sock_limit_receive(&inbound->sock, inbound->held ? SOCK_RECEIVE_TIGHT_BYTES : 0);
    return true;
}

static size_t take_length(struct inbound *inbound, struct view bytes)
{
    struct view data =
        view_first(bytes, inbound->left < bytes.size ? (size_t)inbound->left : bytes.size);

    inbound->left -= data.size;
    if (tell_body(inbound, data) && inbound->left == 0)
        end_request(inbound, NULL, 0);
    return data.size;
}

static void end_chunked(struct inbound *inbound)
{
    struct field *fields = inbound->group->fields;
    int count = h1_chunk_trailers(inbound->chunks, fields);

    if (count < 0) {
        refuse(inbound, 400, STREAM_BAD, "the trailer section is malformed");
        return;
    }
    end_request(inbound, fields, (unsigned)count);
    forget_chunks(inbound);
}

static size_t take_chunked(struct inbound *inbound, struct view bytes)
{
    struct view rest = bytes;

    for (;;) {
        struct view data;

        switch (h1_chunk_read(inbound->chunks, &rest, &data)) {
        case H1_CHUNK_DATA:
            if (!tell_body(inbound, data))
                return bytes.size - rest.size;
            break;
        case H1_CHUNK_MORE:
            return bytes.size;
        case H1_CHUNK_BAD:
            refuse(inbound, 400, STREAM_BAD, "the chunked body is malformed");
            return bytes.size;
        case H1_CHUNK_END:
            end_chunked(inbound);
            return bytes.size - rest.size;
        }
    }
}

/* The members that belong to one request, set for the next one. */
static void begin_request(struct inbound *inbound, const struct head *head)
{
    inbound->scanned = 0;
    inbound->held = 0;
    inbound->body_bytes = 0;
    inbound->sent_before = inbound->sock.sent_bytes;
    inbound->method = (uint8_t)head->method;
    inbound->minor_version = head->minor_version;
    inbound->says_close = head->says_close;
    inbound->wants_close = head->says_close || pace_is_last(inbound);
    inbound->awaits_continue = head->expects_continue;
    inbound->is_discarding = false;
    inbound->discarded = 0;
    inbound->has_answer_head = false;
    inbound->is_answer_done = false;
    inbound->is_request_done = false;
    inbound->left = head->body.kind == FRAMING_LENGTH ? head->body.length : 0;
    inbound->state = STATE_BODY;
    if (head->body.kind == FRAMING_CHUNKED) {
        inbound->chunks = memory_allocate(sizeof(*inbound->chunks));
        h1_chunk_init(inbound->chunks);
    }
}

static void tell_request(struct inbound *inbound, const struct head *head)
{
    struct inbound_group *group = inbound->group;
    bool has_body = inbound->chunks || inbound->left;

    if (head->body.kind == FRAMING_LENGTH && head->body.length > group->settings.body_bytes_max) {
        refuse(inbound, 413, STREAM_TOO_LARGE, "the body is larger than limits.body-bytes");
        return;
    }
    if (has_body)
        pace_begin(inbound);
    else
        inbound->state = STATE_ANSWER;
    if (!has_body && inbound->says_close)
        sock_leave_unwatched(&inbound->sock);
    inbound->stream.events = NULL;
    inbound->was_told = true;
    group->events->on_request(inbound, &inbound->stream, head);
    if (!has_body && !inbound->is_answer_done && inbound->state != STATE_CLOSED)
        end_request(inbound, NULL, 0);
}

/* How many bytes were understood; 0 where more are needed. */
static size_t take_head(struct inbound *inbound, struct view bytes)
{
    struct inbound_group *group = inbound->group;
    struct head head;
    struct h1_verdict verdict;

    head.fields = group->fields;
    verdict = h1_parse_request(bytes, &group->settings.limits, &inbound->scanned, &head);
    if (verdict.result == H1_MORE)
        return 0;
    if (verdict.result == H1_BAD) {
        refuse(inbound, verdict.status, STREAM_BAD, verdict.reason);
        return bytes.size;
    }
    begin_request(inbound, &head);
    tell_request(inbound, &head);
    return verdict.size;
}

static size_t take_tunnel(struct inbound *inbound, struct view bytes)
{
    inbound->held += bytes.size;
    inbound->stream.events->on_body(&inbound->stream, bytes);
    return bytes.size;
}

static size_t take_some(struct inbound *inbound, struct view bytes)
{
    switch (inbound->state) {
    case STATE_HEAD:
        return take_head(inbound, bytes);
    case STATE_BODY:
        return inbound->chunks ? take_chunked(inbound, bytes) : take_length(inbound, bytes);
    case STATE_TUNNEL:
        return take_tunnel(inbound, bytes);
    default:
        return 0;
    }
}

/* Takes what can be understood now; says how much that was. */
static size_t take_all(struct inbound *inbound, struct view bytes)
{
    struct view rest = bytes;

    inbound->is_processing = true;
    while (rest.size) {
        size_t taken = take_some(inbound, rest);

        if (inbound->state == STATE_CLOSED)
            return bytes.size;
        if (taken == 0)
            break;
        rest = view_after(rest, taken);
    }
    inbound->is_processing = false;
    return bytes.size - rest.size;
}

static void take_kept(struct inbound *inbound)
{
    size_t taken = take_all(inbound, buffer_view(&inbound->kept));

    if (inbound->state == STATE_CLOSED)
        return;
    buffer_consume(&inbound->kept, taken);
    if (buffer_size(&inbound->kept) == 0)
        forget_kept(inbound);
    update_pause(inbound);
}

static void on_bytes(struct sock *sock, struct view bytes)
{
    struct inbound *inbound = from_sock(sock);
    bool was_empty = buffer_size(&inbound->kept) == 0;
    size_t size = bytes.size;

    if (was_empty)
        bytes = view_after(bytes, take_all(inbound, bytes));
    if (inbound->state == STATE_CLOSED)
        return;
    if (bytes.size && buffer_append(&inbound->kept, bytes) < 0) {
        refuse(inbound, 431, STREAM_TOO_LARGE, "more was sent than can be kept");
        return;
    }
    if (bytes.size && was_empty && inbound->state == STATE_HEAD)
        set_deadline(inbound, inbound->group->settings.header_timeout_ms);
    if (inbound->state == STATE_BODY)
        pace_take(inbound, size);
    if (!was_empty && inbound->state != STATE_ANSWER) {
        take_kept(inbound);
        return;
    }
    update_pause(inbound);
}

/* The client has sent all it will, and all of it was taken (RFC 9112 8, 9.6). */
static void take_fin(struct inbound *inbound)
{
    switch (inbound->state) {
    case STATE_HEAD:
        if (buffer_size(&inbound->kept))
            refuse(inbound, 400, STREAM_BAD, "the client closed before its head was whole");
        else
            close_inbound(inbound, false);
        return;
    case STATE_BODY:
        if (inbound->is_discarding)
            close_inbound(inbound, false);
        else
            refuse(inbound, 400, STREAM_BAD, "the client closed before its request was whole");
        return;
    case STATE_TUNNEL:
        if (!inbound->is_request_done)
            end_request(inbound, NULL, 0);
        if (inbound->state == STATE_TUNNEL && inbound->is_answer_done)
            close_inbound(inbound, false);
        return;
    default:
        /* Half-closed: it waits for the answer. */
        return;
    }
}

/* The answer before is complete and the next request, or a part of it, is there. */
static void on_again(struct ready *ready)
{
    struct inbound *inbound = CONTAINER_OF(ready, struct inbound, again);

    take_kept(inbound);
    if (inbound->state == STATE_HEAD && buffer_size(&inbound->kept))
        set_deadline(inbound, inbound->group->settings.header_timeout_ms);
    if (inbound->state != STATE_CLOSED && inbound->has_fin)
        take_fin(inbound);
}

static void on_fin(struct sock *sock)
{
    struct inbound *inbound = from_sock(sock);

    inbound->has_fin = true;
    /* What was kept comes before it. */
    if (list_is_empty(&inbound->again.list))
        take_fin(inbound);
}

static void on_drained(struct sock *sock)
{
    struct inbound *inbound = from_sock(sock);

    if (inbound->stream.events)
        inbound->stream.events->on_drained(&inbound->stream);
}

static void on_reset(struct sock *sock, int error)
{
    struct inbound *inbound = from_sock(sock);

    (void)error;
    tell_reset(inbound, STREAM_CLOSED, "the client reset the connection");
    abort_inbound(inbound);
}

static const struct sock_events sock_events_ = {
    .on_bytes = on_bytes,
    .on_fin = on_fin,
    .on_drained = on_drained,
    .on_reset = on_reset,
    .on_deadline = on_deadline,
};

/* ---- giving answers ---- */

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
    set_deadline(inbound, inbound->group->settings.idle_timeout_ms);
    if (!inbound->is_processing)
        update_pause(inbound);
}

static void finish_answer(struct inbound *inbound)
{
    bool is_early = inbound->state == STATE_BODY;

    inbound->is_answer_done = true;
    inbound->stream.events = NULL;
    if (inbound->group->is_draining || (is_early && !can_discard(inbound)))
        inbound->wants_close = true;
    if (inbound->wants_close) {
        /* One that said close and whose request is whole has nothing more to say. */
        close_inbound(inbound, is_early || !inbound->says_close || buffer_size(&inbound->kept));
        return;
    }
    if (is_early)
        begin_discarding(inbound);
    else
        begin_rest(inbound);
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
    inbound->state = STATE_TUNNEL;
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
    return inbound->state == STATE_BODY && head->status >= 300 && !can_discard(inbound);
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
    size_t size;
    char *text;

    if (!bytes.size || inbound->answer_framing == FRAMING_NONE || inbound->method == METHOD_HEAD)
        return;
    if (inbound->answer_framing != FRAMING_CHUNKED) {
        sock_write(&inbound->sock, bytes);
        return;
    }
    text = sock_text(inbound->group->socks, H1_CHUNK_PREFIX_BYTES);
    size = h1_chunk_prefix(bytes.size, text);
    sock_text_trim(inbound->group->socks, H1_CHUNK_PREFIX_BYTES - size);
    sock_write(&inbound->sock, (struct view){text, size});
    sock_write(&inbound->sock, bytes);
    sock_write(&inbound->sock, VIEW("\r\n"));
}

static void send_end(struct stream *stream, struct view trailers)
{
    struct inbound *inbound = from_stream(stream);

    if (inbound->state == STATE_TUNNEL) {
        sock_shut(&inbound->sock);
        inbound->is_answer_done = true;
        if (inbound->is_request_done)
            close_inbound(inbound, false);
        return;
    }
    if (inbound->answer_framing == FRAMING_CHUNKED && inbound->method != METHOD_HEAD) {
        sock_write(&inbound->sock, VIEW("0\r\n"));
        sock_write(&inbound->sock, trailers);
        sock_write(&inbound->sock, VIEW("\r\n"));
    }
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
    if (inbound->state == STATE_BODY && !inbound->held)
        pace_begin(inbound);
    update_pause(inbound);
}

static size_t queued(struct stream *stream)
{
    struct inbound *inbound = from_stream(stream);

    sock_flush(&inbound->sock);
    return sock_queued(&inbound->sock);
}

static uint64_t sent(struct stream *stream)
{
    struct inbound *inbound = from_stream(stream);

    sock_flush(&inbound->sock);
    return sock_sent(&inbound->sock) - inbound->sent_before;
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
        abort_inbound(inbound);
    else
        close_inbound(inbound, true);
}

static const struct stream_calls stream_calls_ = {
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

/* ---- the group ---- */

void inbound_group_init(struct inbound_group *group, struct sock_group *socks,
                        const struct inbound_events *events,
                        const struct inbound_settings *settings, void *owner)
{
    *group = (struct inbound_group){
        .socks = socks, .events = events, .owner = owner, .settings = *settings};
    /* A connection that has ended is counted until its memory is free: room for those of one turn.
     */
    pool_init(&group->pool, sizeof(struct inbound),
              (size_t)settings->connections_max + LOOP_EVENTS_MAX);
    list_init(&group->all);
}

void inbound_group_finish(struct inbound_group *group)
{
    assert(group->count == 0);
    pool_finish(&group->pool);
}

void inbound_open(struct inbound_group *group, int fd, const struct address *client,
                  uint16_t listener)
{
    struct inbound *inbound = NULL;
    char text[ADDRESS_TEXT_BYTES];

    if (group->count < group->settings.connections_max)
        inbound = pool_take(&group->pool);
    if (!inbound) {
        refusal_turn_away(fd, 503);
        return;
    }
    memset(inbound, 0, sizeof(*inbound));
    inbound->group = group;
    inbound->listener = listener;
    inbound->stream.calls = &stream_calls_;
    inbound->is_loopback = address_is_loopback(client);
    address_ip_to_text(client, text);
    memcpy(inbound->client_ip, text, INBOUND_IP_BYTES - 1);
    buffer_init(&inbound->kept, KEPT_BYTES_MAX);
    ready_init(&inbound->again, on_again);
    list_append(&group->all, &inbound->list);
    group->count++;
    pace_open(inbound);
    sock_adopt(&inbound->sock, group->socks, fd, &sock_events_);
    if (inbound->state != STATE_CLOSED && !sock_has_deadline(&inbound->sock))
        set_deadline(inbound, inbound->sock.is_unwatched ? INBOUND_UNWATCHED_MS
                                                         : group->settings.header_timeout_ms);
}

void inbound_group_drain(struct inbound_group *group)
{
    inbound_group_retire(group, 0);
}

void inbound_group_retire(struct inbound_group *group, uint32_t idle_ms)
{
    group->is_draining = true;
    LIST_FOR_EACH (at, &group->all) {
        struct inbound *inbound = CONTAINER_OF(at, struct inbound, list);

        if (inbound->state != STATE_HEAD || buffer_size(&inbound->kept))
            continue;
        if (idle_ms)
            set_deadline(inbound, idle_ms);
        else
            close_inbound(inbound, true);
    }
}

void inbound_abort(struct inbound *inbound, const char *why)
{
    tell_reset(inbound, STREAM_SHUT_DOWN, why);
    if (inbound->state != STATE_CLOSED)
        abort_inbound(inbound);
}

void inbound_group_abort(struct inbound_group *group)
{
    while (!list_is_empty(&group->all)) {
        struct inbound *inbound = LIST_FIRST(&group->all, struct inbound, list);

        inbound_abort(inbound, "the balancer is stopping");
    }
}
