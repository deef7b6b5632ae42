/*
 * A worker: one thread, one loop, no privileges. It accepts connections, lets exchanges carry their
 * requests to replicas as the table says, and counts. Everything it needs comes over the link from
 * the keeper before it locks itself in (proxy/sandbox.h).
 */
#pragma once

#include "proxy/table.h"

/* Most listening sockets of one worker: several of an address where there were more workers
 * before. */
#define WORKER_LISTENERS_MAX (4 * TABLE_LISTENERS_MAX)

/* The main function of the process; its end of the link is LINK_WORKER_FD. Returns its exit status.
 */
int worker_main(void);
