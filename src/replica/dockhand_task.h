/*
 * One order of the keeper, done step by step: what is asked of the Engine, and what its answer
 * makes of it.
 *
 * Owner: the dockhand.
 */
#pragma once

#include "replica/dockhand.h"
#include "replica/dockhand_order.h"

typedef void (*dockhand_task_fn)(struct dockhand *dockhand);

/* Begins it; its answer is said later, then on_done is called. */
void dockhand_task_start(struct dockhand *dockhand, const struct dockhand_order *order,
                         dockhand_task_fn on_done);

/* Ends the streams of events, without an answer. */
void dockhand_task_cancel_events(struct dockhand *dockhand);

void dockhand_task_cancel_all(struct dockhand *dockhand);
