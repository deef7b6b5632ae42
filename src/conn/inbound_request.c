#include "conn/inbound_request.h"

#include "base/memory.h"
#include "conn/inbound_life.h"
#include "conn/pace.h"
#include "conn/shed.h"

static struct inbound *from_sock(struct sock *sock)
{
    return CONTAINER_OF(sock, struct inbound, sock);
}

static void end_request(struct inbound *inbound, const struct field *trailers, unsigned count)
{
    const struct stream_events *events = inbound->stream.events;

    inbound->is_request_done = true;
    if (inbound->is_discarding) {
        inbound_life_begin_rest(inbound);
        return;
    }
    if (inbound->state == INBOUND_BODY)
        inbound->state = INBOUND_ANSWER;
    if (events)
        events->on_end(&inbound->stream, trailers, count);
}

/* ---- bodies ---- */

/* A piece of a body nobody wants any more; false at the end of our patience. */
static bool discard_body(struct inbound *inbound, struct view data)
{
    inbound->discarded += (uint32_t)data.size;
    if (inbound->discarded > INBOUND_DISCARD_BYTES_MAX)
        inbound_life_close(inbound, true);
    return inbound->state != INBOUND_CLOSED;
}

/* Tells a piece of the body; false where the connection ended with it. */
static bool tell_body(struct inbound *inbound, struct view data)
{
    inbound->awaits_continue = false;
    if (inbound->is_discarding)
        return discard_body(inbound, data);
    inbound->body_bytes += data.size;
    if (inbound->body_bytes > inbound->group->settings.body_bytes_max) {
        inbound_life_refuse(inbound, 413, STREAM_TOO_LARGE,
                            "the body is larger than limits.body-bytes");
        return false;
    }
    inbound->held += data.size;
    inbound->stream.events->on_body(&inbound->stream, data);
    if (inbound->state == INBOUND_CLOSED)
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
        inbound_life_refuse(inbound, 400, STREAM_BAD, "the trailer section is malformed");
        return;
    }
    end_request(inbound, fields, (unsigned)count);
    inbound_life_forget_chunks(inbound);
}

/* The next piece of a chunked body; its trailer section is kept until it is whole. */
static enum h1_chunk_result read_chunk(struct inbound *inbound, struct view *rest,
                                       struct view *data)
{
    size_t before = inbound->chunks->trailer.capacity;
    enum h1_chunk_result result = h1_chunk_read(inbound->chunks, rest, data);

    sock_group_count_kept(inbound->group->socks, before, inbound->chunks->trailer.capacity);
    return result;
}

static size_t take_chunked(struct inbound *inbound, struct view bytes)
{
    struct view rest = bytes;

    for (;;) {
        struct view data;

        switch (read_chunk(inbound, &rest, &data)) {
        case H1_CHUNK_DATA:
            if (!tell_body(inbound, data))
                return bytes.size - rest.size;
            break;
        case H1_CHUNK_MORE:
            if (inbound->chunks->trailer.capacity &&
                sock_group_keeps_too_much(inbound->group->socks))
                inbound_life_refuse(inbound, 503, STREAM_SHUT_DOWN, shed_reason);
            return bytes.size;
        case H1_CHUNK_BAD:
            inbound_life_refuse(inbound, 400, STREAM_BAD, "the chunked body is malformed");
            return bytes.size;
        case H1_CHUNK_END:
            end_chunked(inbound);
            return bytes.size - rest.size;
        }
    }
}

/* ---- heads ---- */

/* The members that belong to one request, set for the next one. */
static void begin_request(struct inbound *inbound, const struct head *head)
{
    inbound->scanned = 0;
    inbound->held = 0;
    inbound->body_bytes = 0;
    inbound->sent_before = sock_sent(&inbound->sock);
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
    inbound->state = INBOUND_BODY;
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
        inbound_life_refuse(inbound, 413, STREAM_TOO_LARGE,
                            "the body is larger than limits.body-bytes");
        return;
    }
    if (has_body)
        pace_begin(inbound);
    else
        inbound->state = INBOUND_ANSWER;
    if (!has_body && inbound->says_close)
        sock_leave_unwatched(&inbound->sock);
    inbound->stream.events = NULL;
    inbound->was_told = true;
    group->events->on_request(inbound, &inbound->stream, head);
    if (!has_body && !inbound->is_answer_done && inbound->state != INBOUND_CLOSED)
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
        inbound_life_refuse(inbound, verdict.status, STREAM_BAD, verdict.reason);
        return bytes.size;
    }
    begin_request(inbound, &head);
    tell_request(inbound, &head);
    return verdict.size;
}

/* ---- bytes ---- */

static size_t take_tunnel(struct inbound *inbound, struct view bytes)
{
    inbound->held += bytes.size;
    inbound->stream.events->on_body(&inbound->stream, bytes);
    return bytes.size;
}

static size_t take_some(struct inbound *inbound, struct view bytes)
{
    switch (inbound->state) {
    case INBOUND_HEAD:
        return take_head(inbound, bytes);
    case INBOUND_BODY:
        return inbound->chunks ? take_chunked(inbound, bytes) : take_length(inbound, bytes);
    case INBOUND_TUNNEL:
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

        if (inbound->state == INBOUND_CLOSED)
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

    if (inbound->state == INBOUND_CLOSED)
        return;
    buffer_consume(&inbound->kept, taken);
    if (buffer_size(&inbound->kept) == 0)
        inbound_life_forget_kept(inbound);
    inbound_life_update_pause(inbound);
}

/* Keeps what is not understood yet; false where the connection ended with it. */
static bool keep(struct inbound *inbound, struct view bytes)
{
    const struct sock_group *socks = inbound->group->socks;

    if (inbound_life_keep(inbound, bytes) < 0) {
        inbound_life_refuse(inbound, 431, STREAM_TOO_LARGE, "more was sent than can be kept");
        return false;
    }
    if (sock_group_keeps_too_much(socks))
        shed_unfinished(inbound->group);
    /* Many keep little each: then it is who comes last. */
    if (inbound->state != INBOUND_CLOSED && sock_group_keeps_too_much(socks))
        shed_one(inbound);
    return inbound->state != INBOUND_CLOSED;
}

void inbound_request_on_bytes(struct sock *sock, struct view bytes)
{
    struct inbound *inbound = from_sock(sock);
    bool was_empty = buffer_size(&inbound->kept) == 0;
    size_t size = bytes.size;

    if (was_empty)
        bytes = view_after(bytes, take_all(inbound, bytes));
    if (inbound->state == INBOUND_CLOSED)
        return;
    if (bytes.size && !keep(inbound, bytes))
        return;
    if (bytes.size && was_empty && inbound->state == INBOUND_HEAD)
        inbound_life_set_deadline(inbound, inbound->group->settings.header_timeout_ms);
    if (inbound->state == INBOUND_BODY)
        pace_take(inbound, size);
    if (!was_empty && inbound->state != INBOUND_ANSWER) {
        take_kept(inbound);
        return;
    }
    inbound_life_update_pause(inbound);
}

/* ---- their end ---- */

/* The client has sent all it will, and all of it was taken (RFC 9112 8, 9.6). */
static void take_fin(struct inbound *inbound)
{
    switch (inbound->state) {
    case INBOUND_HEAD:
        if (buffer_size(&inbound->kept))
            inbound_life_refuse(inbound, 400, STREAM_BAD,
                                "the client closed before its head was whole");
        else
            inbound_life_close(inbound, false);
        return;
    case INBOUND_BODY:
        if (inbound->is_discarding)
            inbound_life_close(inbound, false);
        else
            inbound_life_refuse(inbound, 400, STREAM_BAD,
                                "the client closed before its request was whole");
        return;
    case INBOUND_TUNNEL:
        if (!inbound->is_request_done)
            end_request(inbound, NULL, 0);
        if (inbound->state == INBOUND_TUNNEL && inbound->is_answer_done)
            inbound_life_close(inbound, false);
        return;
    default:
        /* Half-closed: it waits for the answer. */
        return;
    }
}

void inbound_request_on_again(struct ready *ready)
{
    struct inbound *inbound = CONTAINER_OF(ready, struct inbound, again);

    take_kept(inbound);
    if (inbound->state == INBOUND_HEAD && buffer_size(&inbound->kept))
        inbound_life_set_deadline(inbound, inbound->group->settings.header_timeout_ms);
    if (inbound->state != INBOUND_CLOSED && inbound->has_fin)
        take_fin(inbound);
}

void inbound_request_on_fin(struct sock *sock)
{
    struct inbound *inbound = from_sock(sock);

    inbound->has_fin = true;
    /* What was kept comes before it. */
    if (list_is_empty(&inbound->again.list))
        take_fin(inbound);
}
