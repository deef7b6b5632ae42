/*
 * Timers: one coarse wheel a loop (Varghese and Lauck 1987, hierarchical). Starting, stopping and
 * putting off are O(1); putting off is a store.
 *
 * A timer fires at most TIMER_TICK_US late (more when the loop is busy), never early.
 * Owner: the struct it is embedded in, which stops it before its memory goes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define TIMER_TICK_US  UINT64_C(2048)
#define TIMER_LEVELS   5
#define TIMER_SLOTS    64
#define TIMER_NEVER_US UINT64_MAX

struct timer;
typedef void (*timer_fn)(struct timer *timer);
struct timer_wheel;
typedef void (*timer_wheel_fn)(struct timer_wheel *wheel);

struct timer {
    struct list list;
    uint64_t deadline_us; /* 0: not running */
    uint64_t placed_tick; /* the tick of the place it has in the wheel */
    timer_fn on_expiry;
};

struct timer_wheel {
    uint64_t tick;            /* all ticks up to this one have been run */
    timer_wheel_fn on_settle; /* after each on_expiry; may be NULL */
    uint64_t occupied[TIMER_LEVELS];
    struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_us);

/* A timer that does not run. */
void timer_init(struct timer *timer, timer_fn on_expiry);

static inline bool timer_is_running(const struct timer *timer)
{
    return timer->deadline_us != 0;
}

/* (Re)starts it: on_expiry is called once, at `deadline_us` of the monotonic clock or soon after.
 */
void timer_start(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_us);

/* Harmless where it does not run. */
void timer_stop(struct timer *timer);

/* Calls what is due. Timers started from there with a deadline that has passed fire in a later
 * tick's call. */
void timer_wheel_run(struct timer_wheel *wheel, uint64_t now_us);

/* When timer_wheel_run() should be called next at the latest; TIMER_NEVER_US with no timer. */
uint64_t timer_wheel_next_us(const struct timer_wheel *wheel);
