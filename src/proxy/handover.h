/*
 * The handover: two verbs that a worker obeys to whoever reaches its socket in the run folder, so
 * that a keeper that is nobody's parent can take over what an earlier one left. Messages are those
 * of a link (proxy/link.h), with kinds of their own.
 *
 *     HANDOVER_LISTENERS -> a HANDOVER_LISTENER with each listening socket, then HANDOVER_END
 *     HANDOVER_DRAIN     -> HANDOVER_END; the worker accepts no more and ends within `number` ms
 *
 * Owner: the worker.
 */
#pragma once

#include "net/listener.h"
#include "proxy/link.h"

/* Connections at once; one more is closed. */
#define HANDOVER_CALLERS_MAX 4

enum handover_kind {
    HANDOVER_LISTENERS = 128,
    HANDOVER_LISTENER, /* fd: a listening socket */
    HANDOVER_DRAIN,    /* number: ms */
    HANDOVER_END,
};

struct handover;

/* What the worker has to give; -1 past the last. */
typedef int (*handover_listener_fn)(struct handover *handover, unsigned number);
typedef void (*handover_drain_fn)(struct handover *handover, uint64_t within_ms);

struct handover {
    struct listener listener;
    struct loop *loop;
    struct link callers[HANDOVER_CALLERS_MAX];
    handover_listener_fn listener_at;
    handover_drain_fn on_drain;
};

/* Listens on `fd`, which stays the caller's until handover_stop(). */
MUST_USE int handover_start(struct handover *handover, struct loop *loop, int fd,
                            handover_listener_fn listener_at, handover_drain_fn on_drain);

/* Harmless on one that is all zeroes. */
void handover_stop(struct handover *handover);
