/*
 * Small writes that wait for the end of the loop's turn, copied one behind the other. A turn first
 * receives from all and then sends to all: the kernel's code for each stays in the processor's
 * cache, and whoever is woken by a send does not come between.
 *
 * Owner: the group of socks. It is empty between two turns.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/view.h"

#define HELD_MAX       32   /* writes: the first waits for no more than so many callbacks */
#define HELD_BYTES_MAX 4096 /* of one write; what is larger goes at once */

struct sock;

struct held_write {
    struct sock *sock; /* NULL: it was taken */
    struct view bytes;
};

struct held {
    char *memory; /* HELD_MAX * HELD_BYTES_MAX */
    size_t used;
    unsigned count;
    struct held_write writes[HELD_MAX];
};

void held_init(struct held *held);
void held_finish(struct held *held);

/* Copies the pieces: the write's number from 1 on, or 0 where they are too many bytes or HELD_MAX
 * are waiting. */
unsigned held_add(struct held *held, struct sock *sock, const struct iovec *pieces, int count);

/* The bytes of that write, which waits no longer. They stay until the next held_add(). */
struct view held_take(struct held *held, unsigned number);

/* Any sock whose write waits, the earliest; NULL: none, and all room is free again. */
struct sock *held_next(struct held *held);
