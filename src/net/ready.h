/*
 * Something to do once more in this turn of the loop or the next: given to loop_make_ready().
 * Owner: the struct it is embedded in, which cancels it before its memory goes.
 */
#pragma once

#include "base/list.h"

struct ready;
typedef void (*ready_fn)(struct ready *ready);

struct ready {
    struct list list;
    ready_fn run;
};

static inline void ready_init(struct ready *ready, ready_fn run)
{
    ready->run = run;
    list_init(&ready->list);
}

/* Takes it off the list again; harmless where it does not wait. */
static inline void ready_cancel(struct ready *ready)
{
    list_remove(&ready->list);
}
