/*
 * What all exchanges of one worker share: the table in force, the segments, the pool of outbounds,
 * the retry budget, the replicas this worker skips for now.
 *
 * Owner: the worker.
 */
#pragma once

#include "base/clock.h"
#include "base/pool.h"
#include "conn/inbound.h"
#include "conn/outbound.h"
#include "proxy/access_log.h"
#include "proxy/segments.h"
#include "proxy/table.h"

/* The place of the link to the keeper in the outbound pool; no replica has it (see
 * TABLE_REPLICAS_MAX). */
#define PROXY_LINK_PLACE       (OUTBOUND_PLACES_MAX - 1)
#define PROXY_LINK_INCARNATION 1

/* Streams to the keeper that one worker may ask for at once, and classic calls that may wait for
 * one. */
#define PROXY_LINK_STREAMS_MAX 16
#define PROXY_LINK_WAITING_MAX 256

/* A classic call may wait that long for the keeper (its longest: a replica's start). */
#define PROXY_LINK_TIMEOUT_MS 60000

/* Retry budget: a token a retry, `retry_permille` of one with each request (rules of the wire, 4).
 */
#define PROXY_BUDGET_MAX 100

/* A replica that refused is skipped that long, doubling up to the maximum (rules of the wire, 5).
 */
#define PROXY_SKIP_MIN_US UINT64_C(50000)
#define PROXY_SKIP_MAX_US UINT64_C(1000000)

/* Somebody who waits for a connection so long does so no more: who waited may have left. */
#define PROXY_WAIT_US(connect_ms) (2 * (connect_ms)*CLOCK_US_PER_MS)

/* What this worker alone knows of a seat. */
struct proxy_seat {
    uint64_t skip_until_us; /* 0: not skipped */
    uint64_t returning_us;  /* since when it is seen being healed; 0: it is not */
    uint64_t alive_us;      /* when it last took a connection or answered */
    uint64_t waits_us;      /* since then connections to it are waited for in vain; 0: are not */
    uint32_t skip_us;       /* how long the next refusal costs */
    uint32_t incarnation;   /* of the table in force; 0: not in it */
    uint16_t service;       /* its place in the table */
    uint16_t member;
    uint16_t held;      /* requests that wait for it, see proxy/hold.h */
    uint16_t trials;    /* requests it is tried with, while on probation */
    uint8_t state;      /* enum seat_state as last seen */
    bool has_timed_out; /* what it is skipped for was no refusal */
};

/* Of a service, in the order of the table. */
struct proxy_service {
    /* in_flight, by member: this worker's own, and the others' as of the last tick. */
    struct balance_load load;
    uint32_t *in_flight;
    uint64_t seen_ticks; /* of the state segment, when the others' were last looked at */
    bool is_panicking;   /* too few are healthy: probe verdicts are ignored */
};

struct exchange;

struct proxy {
    struct loop *loop;
    struct sock_group *socks;
    struct outbound_pool outbounds;
    const struct table *table;
    const struct state_segment *states;
    struct count_segment *counts;
    struct access_log log;
    struct pool exchanges;
    struct pool texts;            /* memory for request heads, PROXY_TEXT_BYTES each */
    struct pool short_texts;      /* PROXY_SHORT_TEXT_BYTES each: most heads fit */
    struct list all;              /* exchanges under way */
    struct list waiting_for_link; /* exchanges without a stream to the keeper */
    unsigned waiting_count;
    struct list held; /* exchanges that wait for the owner of their slot */
    unsigned held_count;
    unsigned link_streams; /* asked for or open */
    bool is_link_open;
    bool is_draining;                         /* what runs is to end soon */
    void (*want_stream)(struct proxy *proxy); /* asks the keeper for one more */
    int64_t budget_permille;                  /* tokens × 1000; below zero: taken on credit */
    struct proxy_seat *seats;                 /* TABLE_REPLICAS_MAX */
    struct proxy_service services[TABLE_SERVICES_MAX];
    struct address_range trusted[TABLE_TRUSTED_MAX];
    uint64_t seen_changes; /* of the state segment */
    uint64_t wall_turn;    /* of the loop, when wall_ms was read: once a turn is enough for a log */
    uint64_t wall_ms;
};

/* Bytes of a pooled request head; longer ones are allocated. */
#define PROXY_TEXT_BYTES       4096
#define PROXY_SHORT_TEXT_BYTES 1520

/* Nothing is served before the first proxy_adopt(). `log_fd` (-1: none) becomes the proxy's. */
void proxy_init(struct proxy *proxy, struct loop *loop, struct sock_group *socks,
                const struct state_segment *states, struct count_segment *counts);
void proxy_finish(struct proxy *proxy);

/* From now on every attempt looks into `table`, which becomes the proxy's; the old one goes. Idle
 * connections to incarnations that are no longer in it are closed. */
void proxy_adopt(struct proxy *proxy, const struct table *table);

/* Looks what became of the replicas: exchanges that wait for the answer of one that is down or gone
 * are taken back, those that wait for one to be back look again. */
void proxy_look(struct proxy *proxy);

/* A stream to the keeper came; or, fd -1, none will. */
void proxy_take_link_stream(struct proxy *proxy, int fd);

/* Requests wait for nobody any more. */
void proxy_drain(struct proxy *proxy);

/* The keeper has gone: classic calls are answered 503 from now on. */
void proxy_lose_link(struct proxy *proxy);

/* One request of a service came: fills the retry budget. */
void proxy_earn_retry(struct proxy *proxy, const struct table_service *service);

/* Is there a token for one more retry? One may be taken without: on credit. */
bool proxy_has_retry(const struct proxy *proxy);
void proxy_take_retry(struct proxy *proxy);

/* An attempt to connect was refused or timed out: it is skipped for a while. */
void proxy_skip_seat(struct proxy *proxy, uint32_t seat);

/* The same of an attempt that began at `since_us`. One that did not take it in time, and took or
 * answered others meanwhile, has a full queue: who skipped it would fill those of the rest. */
void proxy_note_unreached(struct proxy *proxy, uint32_t seat, enum stream_failure failure,
                          uint64_t since_us);

/* It took a connection, or answered. */
void proxy_clear_seat(struct proxy *proxy, uint32_t seat);

/* A connection to it is being opened, which may take that long. */
void proxy_await_seat(struct proxy *proxy, uint32_t seat, uint32_t connect_ms);

/* What is in flight over all workers, for the service at that place, where it asks: as of the
 * keeper's last tick, this worker's own exact. */
void proxy_refresh_load(struct proxy *proxy, unsigned number);

/* One request more or less under way at a replica. */
void proxy_count_in_flight(struct proxy *proxy, uint32_t seat, int change);
