/*
 * The link: messages with descriptors between the keeper and one worker, over a socketpair of
 * whole messages (SOCK_SEQPACKET). One protocol, versioned; what either side does not know ends the
 * link. When it ends a worker goes on serving; a keeper starts another worker.
 *
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "net/loop.h"

#define LINK_VERSION 1u

/* The descriptor at which a worker finds its end. */
#define LINK_WORKER_FD 3

enum link_kind {
    /* Keeper to worker. */
    LINK_LISTENER = 1, /* fd: a listening socket; number: its index in the table */
    LINK_HANDOVER, /* fd: a listening unix socket of the run folder for the verbs of the handover */
    LINK_STATES,   /* fd: the state segment */
    LINK_GUESTS,   /* fd: the guest segment */
    LINK_COUNTS,   /* fd: the count segment of this worker */
    LINK_ACCESS_LOG, /* fd: where access log lines go; without: no access log */
    LINK_TABLE,      /* fd: a table; number: its epoch; answered with LINK_ADOPTED */
    LINK_START,      /* all is there: lock yourself in, accept, say LINK_READY */
    LINK_STREAM,     /* fd: a connected stream to the keeper's API, one more for the pool */
    LINK_LOOK,   /* states in the segment have changed: take back what waits for a replica that went
                  */
    LINK_DRAIN,  /* accept no more, end what runs within `number` ms, then exit */
    LINK_RETIRE, /* the same, but others serve here by now: what is idle may ask once more */

    /* Worker to keeper. */
    LINK_READY = 64,
    LINK_ADOPTED,     /* number: the epoch; no request will be started by an older table */
    LINK_WANT_STREAM, /* a classic call waits for a LINK_STREAM */
};

struct link_message {
    uint32_t version;
    uint32_t kind;
    uint64_t number;
};

struct link;

/* Takes a message; `fd` (-1 for none) is the callee's. */
typedef void (*link_message_fn)(struct link *link, const struct link_message *message, int fd);

/* The other side has gone, or spoke nonsense. Called once, never from inside link_send(). */
typedef void (*link_closed_fn)(struct link *link);

struct link {
    struct watch watch;
    struct ready ready;
    struct loop *loop;
    link_message_fn on_message;
    link_closed_fn on_closed;
    void *owner;
    bool is_closed;
};

/* Two connected non-blocking ends, close-on-exec. */
MUST_USE int link_pair(int ends[2], struct error *why);

/* Takes over `fd`. */
MUST_USE int link_start(struct link *link, struct loop *loop, int fd, link_message_fn on_message,
                        link_closed_fn on_closed, void *owner);

/* Ends it; nothing is called any more. Harmless on one that has ended. */
void link_stop(struct link *link);

/*
 * Sends a message with `fd` (-1 for none; stays the caller's). -EAGAIN where the other side does
 * not read (the kernel's buffer is the limit), -EPIPE where it has gone: on_closed follows.
 */
MUST_USE int link_send(struct link *link, enum link_kind kind, uint64_t number, int fd);
