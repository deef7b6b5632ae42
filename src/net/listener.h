/* A listening socket: opened by the keeper, accepted from by whoever watches it. */
#pragma once

#include "net/address.h"
#include "net/loop.h"

/* Connections the kernel holds for us until we accept them. */
#define LISTENER_BACKLOG 4096

/* Most connections accepted at one event. */
#define LISTENER_TURN_MAX 64

/* How long accepting rests after the process ran out of descriptors or memory. */
#define LISTENER_REST_US UINT64_C(50000)

/*
 * Most bytes the kernel holds for a client beyond what is under way (tcp(7), TCP_NOTSENT_LOWAT).
 * Without it somebody who reads nothing makes it hold some megabytes of the answer, and as many
 * between us and the replica.
 */
#define LISTENER_UNSENT_BYTES (64 * 1024)

struct listener;

/* `fd` is non-blocking and the callee's from now on. */
typedef void (*listener_fn)(struct listener *listener, int fd, const struct address *client);

struct listener {
    struct watch watch;
    struct loop *loop;
    struct timer rest;
    listener_fn on_accept;
    void *owner;
    uint64_t turn;   /* of the loop, in which it last accepted */
    bool came_alone; /* who was accepted last */
};

/*
 * Opens a listening socket: Nagle and quick ACK off, little unsent, inherited by what is accepted.
 * With `shares` other sockets of ours may listen on the same address (SO_REUSEPORT); to be sure
 * that nobody else does, first open it without. Of port 0 the kernel chooses one: *address says
 * which. Returns the descriptor, or -errno with a sentence.
 */
MUST_USE int listener_open(struct address *address, bool shares, struct error *why);

/* Accepts from `fd` (stays the caller's, closed after listener_stop()). */
MUST_USE int listener_start(struct listener *listener, struct loop *loop, int fd,
                            listener_fn on_accept, void *owner);

/* Accepts what waits by now, however much it is: the last thing to do before it is stopped. */
void listener_sweep(struct listener *listener);

/* Harmless where it does not run. */
void listener_stop(struct listener *listener);
