/*
 * The one loop of a process: descriptors (epoll, edge-triggered), timers, things to do later in
 * this turn, and the disposal of what ended in it.
 *
 * A turn: wait, read the clock once, deliver events, run due timers, run the ready list, dispose.
 * Before it delivers some events it calls its ahead function, which may see to all of them first.
 * After each callback the loop calls its settle function, so that writes made in it leave together,
 * and before it waits its rest function, so that nothing is kept back any longer.
 * Owner: main of the process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "net/ready.h"
#include "net/timer.h"

/* Most events taken in one turn. */
#define LOOP_EVENTS_MAX 256

/* So many events are looked at ahead. */
#define LOOP_AHEAD_MAX 32

struct loop;

/* A descriptor that is watched. Owner: the struct it is embedded in; removed before that is
 * disposed. */
struct watch;
typedef void (*watch_fn)(struct watch *watch, uint32_t events);
struct watch {
    watch_fn on_events; /* NULL: not watched */
    int fd;             /* the owner's to close, after loop_remove() */
};

/* Memory that goes at the end of the turn, when nothing of it is on the stack. */
struct garbage;
typedef void (*garbage_fn)(struct garbage *garbage);
struct garbage {
    struct garbage *next;
    garbage_fn destroy;
};

typedef void (*loop_fn)(void *owner);

/* A look at events that are delivered next, at most LOOP_AHEAD_MAX. A watch may be removed already.
 */
struct epoll_event;
typedef void (*loop_ahead_fn)(void *owner, const struct epoll_event *events, int count);

struct loop {
    int epoll_fd;
    bool is_stopping;
    bool is_turning;
    bool never_forks; /* its owner's word: nobody else ever holds this process's descriptors */
    uint64_t now_us;  /* monotonic, read once a turn */
    uint64_t turns;
    struct timer_wheel wheel;
    struct list ready;
    struct garbage *garbage;
    loop_ahead_fn on_ahead; /* before it delivers them, with settle_owner; may be NULL */
    loop_fn on_settle;      /* after each callback; may be NULL */
    loop_fn on_rest;        /* before disposal and before waiting; may be NULL */
    void *settle_owner;
    loop_fn on_turn; /* once a turn, before waiting; may be NULL */
    void *turn_owner;
};

MUST_USE int loop_init(struct loop *loop, struct error *why);

/* Disposes what waits; what is still watched is no longer. */
void loop_finish(struct loop *loop);

/* Turns until loop_stop(). A failure of epoll itself ends the program. */
void loop_run(struct loop *loop);

/* One turn; waits at most `most_us` for something to happen. Not from inside a callback. */
void loop_turn(struct loop *loop, uint64_t most_us);

void loop_stop(struct loop *loop);

/*
 * Watches watch->fd for `events` (EPOLLIN …; EPOLLET where wanted). -errno where epoll refuses.
 * After loop_remove() nothing more is delivered, not even what was already waiting in this turn.
 */
MUST_USE int loop_add(struct loop *loop, struct watch *watch, uint32_t events, watch_fn on_events);
MUST_USE int loop_change(struct loop *loop, struct watch *watch, uint32_t events);
void loop_remove(struct loop *loop, struct watch *watch);

/* The same where the caller closes the descriptor next: in a process that never forks that alone
 * ends the watching, and a system call is spared. */
void loop_forget(struct loop *loop, struct watch *watch);

/* Runs it later in this turn, or in the next one where it is put there by the ready list itself.
 * Twice is once. */
void loop_make_ready(struct loop *loop, struct ready *ready);

/* Calls destroy(garbage) at the end of the turn. */
void loop_dispose(struct loop *loop, struct garbage *garbage, garbage_fn destroy);

/* Starts a timer `after_us` from the turn's clock; TIMER_NEVER_US: far enough. */
static inline void loop_start_timer(struct loop *loop, struct timer *timer, uint64_t after_us)
{
    uint64_t most_us = TIMER_NEVER_US - loop->now_us;

    timer_start(&loop->wheel, timer, loop->now_us + (after_us < most_us ? after_us : most_us));
}
