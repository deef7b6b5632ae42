/*
 * Bytes received ahead: before a turn delivers its next events it receives from all those socks, as
 * far as little is expected of them. The kernel's code for receiving stays in the processor's cache
 * then, and so does ours afterwards; it is what the outbox does for sending.
 *
 * A sock that is paused before its turn comes leaves its bytes here until it goes on: its place is
 * nobody else's for so long. Who finds no place is received from in its turn, as is who gets more
 * than one place holds.
 *
 * Owner: the group of socks.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define INBOX_MAX   32   /* places */
#define INBOX_BYTES 4096 /* of one receive */

struct inbox {
    char *memory;             /* of all places */
    uint32_t free;            /* a bit for each place */
    int32_t sizes[INBOX_MAX]; /* received, 0 for the end, or a negative errno */
};

void inbox_init(struct inbox *inbox);
void inbox_finish(struct inbox *inbox);

/* One receive from a descriptor that does not block: the number of its place from 1 on; 0, and
 * nothing received: there is no place. */
unsigned inbox_receive(struct inbox *inbox, int fd);

/* What that receive gave: bytes, 0 for the end, or a negative errno. */
static inline int32_t inbox_size(const struct inbox *inbox, unsigned number)
{
    return inbox->sizes[number - 1];
}

/* The bytes; they stay until the next inbox_receive() after inbox_free(). */
char *inbox_bytes(const struct inbox *inbox, unsigned number);

/* The place is anybody's again. */
static inline void inbox_free(struct inbox *inbox, unsigned number)
{
    inbox->free |= UINT32_C(1) << (number - 1);
}
