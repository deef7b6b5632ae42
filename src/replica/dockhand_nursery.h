/*
 * Where dockhands come from when the keeper may no longer reach the Engine itself: a process that
 * keeps the rights the keeper gives up, and that can do one thing with them, start a dockhand. It
 * reads one byte and one descriptor at a time and parses nothing.
 *
 * There is at most one in a process. Ends when the keeper has ended.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Starts it; before anything else of the keeper is there. */
MUST_USE int dockhand_nursery_start(struct error *why);

bool dockhand_nursery_is_there(void);

/* Has it start a dockhand whose end of the link is `fd`, which stays the caller's. */
MUST_USE int dockhand_nursery_ask(int fd, struct error *why);

/* In a new process: becomes `roost dockhand` with that end of the link; does not return. */
void dockhand_nursery_become(int fd) __attribute__((noreturn));
