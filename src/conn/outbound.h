/*
 * A connection that we opened: a request goes out, its answer comes in. Kept for the next request
 * when both are whole (RFC 9112 9.3), at most OUTBOUND idle time long; newest used first.
 *
 * Owner: the pool, from outbound_start() until the connection has ended.
 */
#pragma once

#include "base/pool.h"
#include "conn/stream.h"
#include "http/h1_chunk.h"
#include "http/h1_parse.h"
#include "net/sock.h"

/* Interim answers to one request; one more is a fault (rules of the wire, 3). */
#define OUTBOUND_INTERIM_MAX 8

/*
 * So many connections of a pool may have as much on the way as the kernel finds good: that spares
 * work on large answers. Those opened while so many are busy may have OUTBOUND_WINDOW_BYTES, so
 * that thousands of clients that ask for much and take nothing do not use up the kernel's memory.
 */
#define OUTBOUND_WIDE_MAX     32
#define OUTBOUND_WINDOW_BYTES (64 * 1024)

/* What a replica that is gone has sent before may still be on its way so long. */
#define OUTBOUND_LAST_WORDS_MS 50

/* A replica that takes other connections but not this one has a full queue, and the kernel asks
 * again after a second (RFC 6298 2): such a one is waited for so long, whatever may be usual. */
#define OUTBOUND_QUEUE_MS 1250

/* Places in a pool: who is connected to. A place is a small number, its owner knows what it stands
 * for. */
#define OUTBOUND_PLACES_MAX 4096

struct outbound_pool;

struct outbound_settings {
    struct h1_limits limits;
    uint32_t idle_ms;  /* kept at most that long without a request */
    uint32_t idle_max; /* kept in the whole pool, the oldest closed first */
};

/* Where to. An outbound is used again only for the same place with the same incarnation. */
struct outbound_place {
    uint32_t place;       /* < OUTBOUND_PLACES_MAX */
    uint32_t incarnation; /* changes when the replica there was started anew */
    struct address address;
    bool is_checked; /* an idle connection is asked first whether it still stands: for what cannot
                        be sent again */
    bool is_fresh;   /* no idle connection will do: for what has failed on one before */
};

/* What each request touches comes first. */
struct outbound {
    struct sock sock;
    struct stream stream;
    struct outbound_pool *pool;
    struct buffer kept;   /* received, not yet understood */
    uint64_t sent_before; /* the sock's count when this request began */
    uint64_t left;        /* of a body with a length */
    size_t held;          /* bytes told by on_body and not consumed */
    uint32_t place;
    uint32_t incarnation;
    uint8_t state; /* enum outbound_state */
    uint8_t method;
    uint8_t request_framing;
    uint8_t answer_framing;
    uint8_t interims;
    bool asks_upgrade : 1;
    bool is_reused : 1;
    bool is_connected : 1;
    bool is_request_done : 1;
    bool is_answer_done : 1;
    bool says_close : 1;
    bool is_processing : 1;
    bool is_doomed : 1;  /* its replica is gone: the timer ends it */
    bool is_patient : 1; /* the time to connect was made longer */

    struct list list;   /* of its place: idle or busy */
    struct list age;    /* of all idle ones, oldest first */
    uint64_t began_us;  /* to connect */
    size_t scanned;     /* of the head in `kept` */
    struct timer timer; /* connecting, or idle */
    struct h1_chunk_reader chunks;
};

struct outbound_list {
    struct list idle;
    struct list busy;
    uint64_t alive_us; /* when it last took a connection or began to answer */
};

struct outbound_pool {
    struct sock_group *socks;
    struct outbound_settings settings;
    struct pool objects;
    struct outbound_list *places; /* OUTBOUND_PLACES_MAX */
    struct list by_age;
    unsigned idle_count;
    unsigned busy_count;
    struct field fields[HEAD_FIELDS_MAX];
};

void outbound_pool_init(struct outbound_pool *pool, struct sock_group *socks,
                        const struct outbound_settings *settings);

/* All streams must have ended; idle connections are closed. */
void outbound_pool_finish(struct outbound_pool *pool);

/*
 * A stream to `where`, held by `holder`: an idle connection with nothing to read, else a new one
 * (on_reset with STREAM_REFUSED or STREAM_TIMED_OUT later in the turn or after `connect_ms` or
 * OUTBOUND_QUEUE_MS where it cannot be had). -errno where not even a socket can be had: no stream
 * then.
 */
MUST_USE int outbound_start(struct outbound_pool *pool, const struct outbound_place *where,
                            uint32_t connect_ms, const struct stream_events *events, void *holder,
                            struct stream **stream);

/* Puts a connected descriptor into the pool as an idle connection to `place`. */
void outbound_adopt(struct outbound_pool *pool, int fd, uint32_t place, uint32_t incarnation);

/* Is there an idle connection for that place? */
bool outbound_has_idle(const struct outbound_pool *pool, uint32_t place);

/* Closes the idle connections of a place but those of `incarnation`; busy ones are not kept after
 * their answer. */
void outbound_forget(struct outbound_pool *pool, uint32_t place, uint32_t incarnation);

/*
 * The replica of that incarnation is gone: its idle connections end now, streams soon with on_reset
 * (STREAM_CLOSED, STREAM_TIMED_OUT where it was still being connected), unless what the replica
 * sent before it went completes them.
 */
void outbound_break(struct outbound_pool *pool, uint32_t place, uint32_t incarnation);
