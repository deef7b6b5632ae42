/*
 * The way into a sock: what has come is received, as much at a time as memory and the others allow,
 * and delivered; little is received ahead of its turn (net/inbox.h).
 *
 * Owner: the sock.
 */
#pragma once

#include <sys/types.h>

#include "net/sock.h"

/* Receives and delivers until nothing more is there, the owner pauses or ends it, or it is the
 * others' turn. */
void sock_read_all(struct sock *sock);

/* After a failed write: what the other side said before, say why it refuses, as far as the owner
 * takes it at once. */
void sock_read_rest(struct sock *sock);

/* What a receive from the kernel would give, which takes nothing: 1 for bytes, 0 for the end, or a
 * negative errno. */
ssize_t sock_read_peek(const struct sock *sock);

/* Are there bytes to read, not only the end? *error gets what stands there instead, or 0. */
bool sock_read_has_bytes(const struct sock *sock, int *error);

/* What the loop does before it delivers some events (net/loop.h). */
void sock_read_on_ahead(void *owner, const struct epoll_event *events, int count);
