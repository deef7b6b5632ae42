/*
 * One request and its answer, as one side of the program carries it. Whoever holds a stream knows
 * messages and never sees a socket: HTTP/1 carries one stream at a time on a connection, HTTP/2
 * many.
 *
 * Two kinds with one face. On an inbound's stream the request comes in and the answer goes out; on
 * an outbound's stream it is the other way round.
 *
 * Credit: bytes told by on_body count as held until the owner says stream_consumed(). A stream
 * with bytes held stops receiving (HTTP/1 pauses its socket); what had been received by then still
 * arrives, at most one receive.
 *
 * Views given to the sending calls must stay until the callback of the loop returns (net/sock.h).
 *
 * Owner: the connection it belongs to. It is gone for its holder when the answer is complete (an
 * inbound's after stream_send_end(), an outbound's after on_end), after on_reset and after
 * stream_reset(). A tunnel is gone when both ways have ended.
 */
#pragma once

#include "http/head.h"

struct sock_group;
struct stream;

/* Why a stream ended before its time. */
enum stream_failure {
    STREAM_REFUSED,   /* outbound: the connection was never established */
    STREAM_CLOSED,    /* the other side closed or reset it */
    STREAM_BAD,       /* it broke the protocol */
    STREAM_TIMED_OUT, /* outbound: connecting took too long; inbound: it sent nothing for too long
                       */
    STREAM_TOO_LARGE, /* a body or head over its limit */
    STREAM_SHUT_DOWN, /* we are stopping */
};

/* What a stream tells its holder. None may be NULL but on_connected, and on_interim and on_head
 * where they cannot come. */
struct stream_events {
    /* Outbound: its new connection is there. */
    void (*on_connected)(struct stream *stream);
    /* Outbound: the head of an interim answer (1xx but 101). Views as in on_head. */
    void (*on_interim)(struct stream *stream, const struct head *head);
    /* Outbound: the head of the answer; head->body is its framing. Views are gone when this
     * returns. */
    void (*on_head)(struct stream *stream, const struct head *head);
    /* A piece of the body, or of the tunnel; the view is gone when this returns. */
    void (*on_body)(struct stream *stream, struct view bytes);
    /* The message is complete. `trailers` may be NULL; those marked is_dropped are not to be passed
     * on. */
    void (*on_end)(struct stream *stream, const struct field *trailers, unsigned count);
    /* All that was sent has left: more may be sent. */
    void (*on_drained)(struct stream *stream);
    /* Over, with nothing more to come; the stream is gone. `why` is one plain sentence for the log.
     */
    void (*on_reset)(struct stream *stream, enum stream_failure failure, const char *why);
};

/* A head to be sent: its first line and end-to-end fields in HTTP/1 form, each line with its CRLF,
 * no empty line. The stream adds what frames the message and governs the connection. */
struct stream_head {
    struct view text;
    struct body_framing body;
    enum method method; /* to an outbound: of the request */
    bool asks_upgrade;  /* to an outbound: 101 may answer it */
    uint16_t status;    /* to an inbound: of the answer */
    bool must_close;    /* to an inbound: the connection ends with this answer */
};

struct stream_calls {
    void (*send_interim)(struct stream *stream, struct view text);
    void (*send_head)(struct stream *stream, const struct stream_head *head);
    void (*send_body)(struct stream *stream, struct view bytes);
    void (*send_end)(struct stream *stream, struct view trailers);
    void (*consumed)(struct stream *stream, size_t bytes);
    size_t (*queued)(struct stream *stream);
    uint64_t (*sent)(struct stream *stream);
    size_t (*owed)(struct stream *stream);
    void (*reset)(struct stream *stream);
};

struct stream {
    const struct stream_calls *calls;
    const struct stream_events *events;
    void *holder;
};

/* Who holds it from now on. */
static inline void stream_hold(struct stream *stream, const struct stream_events *events,
                               void *holder)
{
    stream->events = events;
    stream->holder = holder;
}

/* Inbound: an interim answer; `text` as in struct stream_head. Not sent to a client of HTTP/1.0. */
static inline void stream_send_interim(struct stream *stream, struct view text)
{
    stream->calls->send_interim(stream, text);
}

/* Once, before body and end. */
static inline void stream_send_head(struct stream *stream, const struct stream_head *head)
{
    stream->calls->send_head(stream, head);
}

/* Bytes of the body or the tunnel; never more than the framing says. Stop while stream_queued() is
 * not 0. */
static inline void stream_send_body(struct stream *stream, struct view bytes)
{
    stream->calls->send_body(stream, bytes);
}

/* The message is complete. `trailers`: field lines with their CRLFs, empty for none; thrown away
 * where the framing has no place for them. A tunnel: no more bytes this way. */
static inline void stream_send_end(struct stream *stream, struct view trailers)
{
    stream->calls->send_end(stream, trailers);
}

/* `bytes` of what on_body told are disposed of. */
static inline void stream_consumed(struct stream *stream, size_t bytes)
{
    stream->calls->consumed(stream, bytes);
}

/* Bytes sent by us that the kernel has not taken; sends what was gathered first, so it is exact. */
static inline size_t stream_queued(struct stream *stream)
{
    return stream->calls->queued(stream);
}

/* Bytes of this message that the kernel has taken, exact like stream_queued(): 0 means that nobody
 * can have seen any of it. */
static inline uint64_t stream_sent(struct stream *stream)
{
    return stream->calls->sent(stream);
}

/* Bytes sent by us that the other side has not acknowledged: fewer than before means that it takes
 * them, however slowly. */
static inline size_t stream_owed(struct stream *stream)
{
    return stream->calls->owed(stream);
}

/* Ends it at once; the holder hears nothing more. An inbound whose answer has begun is cut off, so
 * that the client sees that it is not whole. */
static inline void stream_reset(struct stream *stream)
{
    stream->calls->reset(stream);
}

/*
 * Answers an inbound's request with a whole small answer: status, field lines with CRLF, body; what
 * frames it is added. The head is written into a text of `socks`; the stream is over with it.
 */
void stream_answer(struct stream *stream, struct sock_group *socks, uint16_t status,
                   struct view fields, struct view body);
