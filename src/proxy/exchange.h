/*
 * One request and its answer, from the client's whole head to the last byte of the answer.
 *
 * It knows two streams and no socket. What the streams tell is put down as news, then
 * exchange_run() takes the step that the news allow: route -> key (-> read) -> pick -> connect ->
 * await -> relay -> finish. A step does what it can and returns the next one; returning itself
 * means "wait for news".
 *
 * Owner: the proxy it belongs to (its pool), from exchange_begin() until it is finished.
 */
#pragma once

#include "proxy/key.h"
#include "proxy/pick.h"
#include "proxy/proxy.h"

/* Pieces of a body this small are trusted to leave at once; beyond it we ask before giving credit.
 */
#define EXCHANGE_TRUST_BYTES (16 * 1024)

/* Of an answer that is replaced by one of ours, this much is read so that its connection can be
 * kept. */
#define EXCHANGE_DISCARD_BYTES (64 * 1024)

enum exchange_step {
    EXCHANGE_ROUTE,   /* whose is it? */
    EXCHANGE_KEY,     /* what is it placed by? */
    EXCHANGE_READ,    /* its key may be in the body: waits for enough of it */
    EXCHANGE_PICK,    /* which replica? */
    EXCHANGE_HOLD,    /* waits for the owner of its slot to be back */
    EXCHANGE_LINK,    /* a classic call: waits for a stream to the keeper */
    EXCHANGE_CONNECT, /* the request goes out */
    EXCHANGE_AWAIT,   /* the head of the answer is to come */
    EXCHANGE_RETRY,   /* an attempt failed: another one? */
    EXCHANGE_RELAY,   /* the answer goes to the client */
    EXCHANGE_FINISH,
};

/* Who asks. */
struct exchange_client {
    struct view ip; /* of the client, maybe as a trusted proxy names it; valid while the head is */
    struct view peer; /* of the connection; valid as long as the client's stream */
    unsigned listener;
    bool is_loopback; /* it came by a listener that only this machine reaches */
    bool is_trusted;  /* it may say who it forwards for */
};

/* What the streams have told and no step has taken yet. Pointers are NULL but while their callback
 * runs. */
struct exchange_news {
    const struct head *request;
    const struct head *interim;
    const struct head *answer;
    const struct field *trailers;
    struct view body; /* of the answer */
    unsigned trailer_count;
    bool has_ended;   /* the answer is whole */
    bool has_failed;  /* the attempt is over without a whole answer */
    bool has_expired; /* the timer fired */
    bool is_client_gone;
};

/*
 * What belongs to one moment lies together: with a thousand requests under way each comes from far
 * away, a cache line at a time, once when it is sent on and once when it is answered.
 */
struct exchange {
    /* What every step looks at. */
    struct proxy *proxy;
    struct stream *client;   /* NULL: answered or gone */
    struct stream *outbound; /* NULL: none now */
    enum exchange_step step;
    unsigned service;
    uint32_t seat;
    uint32_t incarnation;
    uint16_t status;
    uint16_t replica_status;
    bool asks_upgrade;
    bool wants_html;
    bool is_root; /* its path is / */
    bool is_link;
    bool is_keyed; /* the client said by what; else the key was drawn */
    bool is_request_whole;
    bool holds_body; /* `held` is the body from its first byte on */
    bool is_tunnel;
    bool is_answer_whole; /* of a tunnel: the replica has ended its way */
    bool is_recorded;
    bool has_answer_head; /* the client got one */
    bool has_interim;     /* the replica has begun to answer */
    bool is_discarding;   /* the replica's answer was replaced by ours */
    bool was_sent;        /* a replica may have seen it */
    bool is_taken_back;   /* from one that went down or died: the next attempt costs nothing */
    bool is_counted;      /* as in flight at its seat */
    bool is_trial;        /* as the one request that a replica on probation is tried with */
    bool is_watched;      /* the second half of the patience has begun: is anything taken? */
    bool has_seen_return; /* while held, this time: the owner is being healed */
    bool is_verdict_over; /* the keeper had time enough to say that the owner has died */

    struct exchange_news news;
    enum method method;
    uint32_t watch_ms; /* the second half of the time in which something must move */

    struct timer timer;
    struct list list;  /* of proxy->all */
    uint64_t whole_us; /* when the request's end came */

    /* The request as it is sent. */
    char *text; /* its head, or NULL */
    size_t text_bytes;
    size_t text_capacity;
    size_t text_kept_bytes; /* of it, what every attempt sends */
    struct pool *text_pool; /* it goes back there; NULL: it is freed */
    struct buffer held;

    /* What it took. */
    uint64_t start_us;
    uint64_t attempt_us;
    uint64_t first_byte_us; /* 0: none came */
    uint64_t bytes_in;
    uint64_t bytes_out;
    size_t answer_credit;  /* told by the replica's stream, not yet given back */
    size_t answer_trusted; /* sent since we last asked what is queued */
    size_t owed;           /* to whom we watch, when that began */

    /* What few have, and each is asked for when it ends. */
    struct list waiting;            /* of proxy->waiting_for_link */
    struct list holding;            /* of proxy->held */
    struct buffer request_trailers; /* field lines, for an attempt that begins later */
    uint64_t held_from_us;          /* the waiting for an owner (proxy/hold.h) */

    /* Whose it is and by what it is placed. */
    struct exchange_client from;
    struct view method_text; /* into `text` */
    struct view target;
    struct view host;
    struct view request_id; /* into `text`, or empty */
    struct body_framing body;
    size_t request_credit; /* told by the client's stream, not yet given back */
    size_t request_trusted;
    uint64_t hash;
    uint32_t slot;
    unsigned rank;
    const char *why;
    const char *failure_text;
    uint64_t held_us; /* altogether */
    uint32_t held_seat;
    enum stream_failure failure;
    unsigned attempts;
    uint8_t drawn_key_bytes;
    uint8_t key_source; /* place of the source whose key `hash` is of */
    struct pick_tried tried;
    char replica[TABLE_NAME_BYTES]; /* "" before the first attempt */

    /* From here on nothing is there before it is written. */
    char named_ip[INBOUND_IP_BYTES]; /* where from.ip is no part of the inbound */
    char drawn_key[KEY_DRAWN_BYTES]; /* of a request whose key may be in its body, until that is
                                        known */
};

/* Where it goes, in the table in force; NULL: to the keeper, or the service is there no more. */
static inline const struct table_service *exchange_service(const struct exchange *x)
{
    return x->is_link || x->service >= x->proxy->table->service_count
               ? NULL
               : table_services(x->proxy->table) + x->service;
}

/* A request has come: `head` is valid during this call. The stream is answered, now or later. */
void exchange_begin(struct proxy *proxy, struct stream *stream, const struct head *head,
                    const struct exchange_client *from);

/* Takes every step that is possible now. The exchange may be gone afterwards. */
void exchange_run(struct exchange *x);

/* The replica at its seat went down or is gone: a request that may be sent again and is not yet
 * answered is taken back and goes to the next rank, where there is one. */
void exchange_take_back(struct exchange *x);

/* A stream to the keeper is there for it, or (false) will never be. */
void exchange_link_ready(struct exchange *x, bool is_there);
