/*
 * The load generator's engine: requests over our own outbound connections, in one loop.
 *
 * Closed: each of C clients sends its next request when the last one ended. Open: requests are due
 * at fixed times whatever the answers do, and a latency counts from when its request was due, so
 * that a stall shows (no coordinated omission); requests that find no free connection wait, and
 * their waiting counts.
 *
 * Owner: whoever called load_run_start(); turns the loop until load_run_is_done().
 */
#pragma once

#include "conn/outbound.h"
#include "load/load_keys.h"
#include "load/load_result.h"
#include "load/load_template.h"

#define LOAD_RUN_CONNECTIONS_MAX 100000
#define LOAD_RUN_RATE_MAX        10000000.0

/* What to do. Everything it points to stays the caller's and must outlive the run. */
struct load_plan {
    struct address address;
    const struct load_template *head;
    enum method method;
    bool has_body;
    struct view body;
    unsigned connections; /* at most that many requests at once */
    uint64_t requests;    /* counted ones; 0: as long as `duration_us` says */
    uint64_t duration_us; /* after the warm-up; 0: as many as `requests` says */
    uint64_t warm_up_us;  /* requests of this time are sent and not counted */
    double rate;          /* a second; 0: closed */
    uint32_t timeout_ms;
    bool is_closing; /* a connection for each request */
    struct load_keys *keys;
    uint64_t moment_us; /* of the time line, 0: none */
    uint16_t *owners;   /* counted request by number -> entry of the tally; NULL: not wanted */
};

struct load_client;

struct load_run {
    struct load_plan plan;
    struct loop *loop;
    struct outbound_pool pool;
    struct load_client *clients;
    struct list idle;
    struct watch clock; /* timerfd of the open loop */
    struct timer end;
    uint64_t start_us;
    uint64_t counted_us; /* from here on requests count */
    uint64_t stop_us;    /* nothing is sent from here on; UINT64_MAX: `requests` decides */
    uint64_t begun;      /* requests begun, warm-up included */
    uint64_t counted;    /* of them those that count */
    uint64_t total;      /* open: requests due in all */
    unsigned busy;       /* clients with a request */
    bool is_stopping;
    struct load_result result;
};

/* Begins. -errno with a sentence, nothing to finish then. */
MUST_USE int load_run_start(struct load_run *run, struct sock_group *socks,
                            const struct load_plan *plan, struct error *why);

/* Starts no more requests; those that run may end. */
void load_run_stop(struct load_run *run);

/* Every request has ended and no more follows. */
bool load_run_is_done(const struct load_run *run);

/* How much of it is over, 0 … 1. */
double load_run_progress(const struct load_run *run);

/* Ends what still runs. The result goes too. */
void load_run_finish(struct load_run *run);
