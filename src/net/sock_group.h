/*
 * What the socks of one process share: the loop, the buffer they receive into, what is gathered and
 * held of their writes, and the account of the memory that waiting bytes take. sock_group_init()
 * and what else acts on it are in net/sock.h.
 *
 * Owner: main of the process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/list.h"
#include "net/inbox.h"
#include "net/loop.h"
#include "net/outbox.h"

#define SOCK_RECEIVE_BYTES    (256 * 1024) /* of the receive buffer: the most one receive takes */
#define SOCK_RECEIVE_ROOM_MIN 4096         /* less is not worth a receive */
#define SOCK_GATHER_MAX       64           /* pieces of one gathered write */

struct sock;

struct sock_group {
    struct loop *loop;
    watch_fn on_events; /* of its socks, and of no other watch of the loop */
    char *receive;      /* SOCK_RECEIVE_BYTES */
    char *text;         /* SOCK_TEXT_BYTES */
    size_t text_bytes;
    struct sock *gathering; /* whose pieces these are */
    struct iovec pieces[SOCK_GATHER_MAX];
    int piece_count;
    struct inbox inbox;   /* received ahead */
    struct outbox outbox; /* small writes of this turn */
    size_t queued_bytes;  /* of all socks together */
    size_t queued_limit;  /* most of them: then only those are received from who feed nobody slow */
    size_t kept_bytes;    /* of what owners keep of requests that are not whole, or not yet sure */
    struct list starved;  /* socks that wait for queued_bytes to fall */
    uint64_t receives;    /* system calls made, for the tests that count them */
    uint64_t sends;
};

/* Are there as many bytes queued as may be? */
static inline bool sock_group_is_full(const struct sock_group *group)
{
    return group->queued_bytes + SOCK_RECEIVE_ROOM_MIN > group->queued_limit;
}

/* An owner counts the memory of a buffer of received bytes that has grown or shrunk. */
static inline void sock_group_count_kept(struct sock_group *group, size_t before, size_t now)
{
    group->kept_bytes = group->kept_bytes + now - before;
}

/* Is more kept than may be? As much as may be queued, and no part of that. */
static inline bool sock_group_keeps_too_much(const struct sock_group *group)
{
    return group->kept_bytes > group->queued_limit;
}

/* Is there room to keep what could be done without? */
static inline bool sock_group_may_keep(const struct sock_group *group)
{
    return group->kept_bytes <= group->queued_limit / 2;
}
