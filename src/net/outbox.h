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

#define OUTBOX_MAX       32   /* writes: the first waits for no more than so many callbacks */
#define OUTBOX_BYTES_MAX 4096 /* of one write; what is larger goes at once */

struct sock;

struct outbox_write {
    struct sock *sock; /* NULL: it was taken */
    struct view bytes;
};

struct outbox {
    char *memory; /* OUTBOX_MAX * OUTBOX_BYTES_MAX */
    size_t used;
    unsigned count;
    unsigned next; /* all before it were taken */
    struct outbox_write writes[OUTBOX_MAX];
};

void outbox_init(struct outbox *outbox);
void outbox_finish(struct outbox *outbox);

/* Copies the pieces: the write's number from 1 on, or 0 where they are too many bytes or OUTBOX_MAX
 * are waiting. */
unsigned outbox_add(struct outbox *outbox, struct sock *sock, const struct iovec *pieces,
                    int count);

/* The bytes of that write, which waits no longer. They stay until the next outbox_add(). */
struct view outbox_take(struct outbox *outbox, unsigned number);

/* Any sock whose write waits, the earliest; NULL: none, and all room is free again. */
struct sock *outbox_next(struct outbox *outbox);
