/*
 * A worker: one thread, one loop, no privileges. It accepts connections, lets exchanges carry their
 * requests to replicas as the table says, and counts. Everything it needs comes over the link from
 * the keeper before it locks itself in (proxy/sandbox.h).
 */
#pragma once

/* The main function of the process; its end of the link is LINK_WORKER_FD. Returns its exit status.
 */
int worker_main(void);
