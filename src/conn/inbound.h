/*
 * A connection that a client opened: bytes become requests, answers become bytes. HTTP/1.0 and 1.1
 * with keep-alive; pipelined requests are answered in order, one at a time.
 *
 * What the client did wrong is answered here (400, 408, 414, 431 …) through the group's on_refused
 * text; everything else is the business of whoever gets on_request.
 *
 * Owner: the group, from inbound_open() until the connection has ended.
 */
#pragma once

#include "base/pool.h"
#include "conn/stream.h"
#include "http/h1_chunk.h"
#include "http/h1_parse.h"
#include "net/sock.h"

#define INBOUND_IP_BYTES 46

/* A client that said close, and whose first request is whole, has said all it will: so long it is
 * not watched. Mostly it is answered before, which spares the registering; whether it is still
 * there is seen a little later. */
#define INBOUND_UNWATCHED_MS 20

/* Of a request that was answered before it was whole so much is read and thrown away, so that its
 * connection can be used again. */
#define INBOUND_DISCARD_BYTES_MAX (64 * 1024)

struct inbound;
struct inbound_group;

/* What the inbounds of one group tell. */
struct inbound_events {
    /*
     * A request has arrived. The callee takes the stream with stream_hold() before it returns, or
     * answers it at once. head->body.kind says whether on_body or on_end follow; on_end comes for
     * every request, also one without a body. Views are gone when this returns.
     */
    void (*on_request)(struct inbound *inbound, struct stream *stream, const struct head *head);
    /*
     * Writes what the client is told about a request that was refused before it became one: field
     * lines with CRLF and the body. May be NULL: then the status line alone is sent.
     */
    void (*on_refused)(struct inbound *inbound, uint16_t status, const char *reason,
                       struct view *fields, struct view *body);
    /* One connection fewer: this one is gone when it returns. May be NULL. */
    void (*on_closed)(struct inbound *inbound);
};

struct inbound_settings {
    struct h1_limits limits;
    uint64_t body_bytes_max;    /* of one request; UINT64_MAX for no limit; over it: 413 */
    uint32_t header_timeout_ms; /* from the first byte of a head, or the accept, to its end: 408 */
    uint32_t idle_timeout_ms;   /* between requests, and between pieces of a body */
    uint32_t connections_max;   /* one more is closed at once */
    uint32_t requests_max;      /* on one connection: the last answer says close; 0: no limit */
    uint32_t lifetime_ms;       /* an answer that begins later says close; 0: no limit */
    uint32_t pace;              /* bytes a second of a body over idle_timeout_ms; less is 408 */
};

/* What the inbounds of one process share. Owner: main of the process. */
struct inbound_group {
    struct sock_group *socks;
    const struct inbound_events *events;
    void *owner;
    struct inbound_settings settings;
    struct pool pool;
    struct list all;
    unsigned count;
    bool is_draining;
    struct field fields[HEAD_FIELDS_MAX]; /* of the head being parsed */
};

/* What each request touches comes first. */
struct inbound {
    struct sock sock;
    struct stream stream;
    struct inbound_group *group;
    struct buffer kept;   /* received, not yet understood */
    uint64_t left;        /* of a body with a length */
    uint64_t body_bytes;  /* of this request so far */
    uint64_t sent_before; /* the sock's count when this answer began */
    uint32_t held;        /* bytes told by on_body and not consumed */
    uint8_t state;        /* enum inbound_state */
    uint8_t method;
    uint8_t answer_framing;
    uint8_t minor_version;
    bool was_told : 1;      /* the present request went to on_request */
    bool is_processing : 1; /* bytes are being taken: an answer that ends meanwhile lets that go on
                             */
    bool wants_close : 1;   /* after this answer */
    bool says_close : 1;    /* the client's word: it will send nothing behind this request */
    bool has_answer_head : 1;
    bool is_answer_done : 1;
    bool is_request_done : 1;
    bool is_discarding : 1;   /* the answer is complete, the rest of its request is not wanted */
    bool awaits_continue : 1; /* the client may send its body, or wait for a 100 */
    bool has_fin : 1;
    bool is_loopback : 1; /* the client's address */
    bool is_counted : 1;  /* the owner's to set and use */

    uint32_t requests; /* so far, where they are limited */

    size_t scanned;       /* of the head in `kept` */
    uint32_t discarded;   /* bytes of the body, after its answer */
    uint32_t paced_bytes; /* of the body, in this stretch of time (conn/pace.h) */
    uint16_t listener;    /* index of the listener it came by */
    char client_ip[INBOUND_IP_BYTES];

    uint32_t opened_ms;
    struct h1_chunk_reader *chunks; /* while a chunked body is read */
    struct list list;
    struct ready again; /* bytes in `kept` wait for their turn */
};

void inbound_group_init(struct inbound_group *group, struct sock_group *socks,
                        const struct inbound_events *events,
                        const struct inbound_settings *settings, void *owner);

/* All connections must have ended. */
void inbound_group_finish(struct inbound_group *group);

/* Takes over `fd`, reads what is there at once. Over connections_max it is turned away: NULL. The
 * inbound may be closed already, and is there until the callback of the loop returns. */
struct inbound *inbound_open(struct inbound_group *group, int fd, const struct address *client,
                             uint16_t listener);

/* Idle connections end now, the others with their present answer. */
void inbound_group_drain(struct inbound_group *group);

/* The same where others serve on: an idle connection may ask once more within `idle_ms`, so that no
 * request meets a connection that is just being closed. */
void inbound_group_retire(struct inbound_group *group, uint32_t idle_ms);

/* Ends one at once; `why` is one sentence for whoever holds its stream. Not from inside its own
 * callbacks. */
void inbound_abort(struct inbound *inbound, const char *why);

/* Ends all at once. */
void inbound_group_abort(struct inbound_group *group);

/* The inbound a stream got by on_request belongs to; NULL for a stream of another kind. */
struct inbound *inbound_of(struct stream *stream);

/*
 * Answers a whole small request at once: status, field lines with CRLF (Content-Length is added)
 * and body. For holders that have the answer in hand; the stream is over when its request is.
 */
void inbound_answer(struct stream *stream, uint16_t status, struct view fields, struct view body);
