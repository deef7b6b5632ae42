/*
 * Locks a dockhand in: it has the Engine's socket, reads what the keeper and the Engine say, and
 * needs nothing of the machine but that socket. So it opens no file, starts no process, reaches no
 * socket but unix ones, and has no capability but the one that lets root connect to a socket that
 * is another user's.
 */
#pragma once

#include "base/error.h"

/* Gives up all capabilities but that one; what it starts has no more. */
MUST_USE int dockhand_jail_shed(struct error *why);

/* Locks this process in, when its link and its loop are there. On failure it must not work. */
MUST_USE int dockhand_jail_enter(struct error *why);

/* Logs calls that were refused since, the first ones by name. */
void dockhand_jail_look(void);
