/*
 * What the ways of a sock share, the one out (sock_write.c), the one in (sock_read.c) and those
 * that open and end it (sock.c, sock_close.c): how it is watched, breaks and goes.
 *
 * Owner: the sock.
 */
#pragma once

#include "net/sock.h"

/* Puts it under the watch of the loop. -errno where epoll refuses. */
MUST_USE int sock_life_register(struct sock *sock);

/* sock_watch(). */
void sock_life_watch(struct sock *sock);

/* It is broken, for the first reason that is given; its owner is told later in the turn, never from
 * inside its own call. */
void sock_life_fail(struct sock *sock, int error);

/* What was received ahead was delivered, or never will be. */
static inline void sock_life_forget_ahead(struct sock *sock)
{
    if (!sock->ahead)
        return;
    inbox_free(&sock->group->inbox, sock->ahead);
    sock->ahead = 0;
    sock->is_late = false;
}

/* A close from here on is a RST. */
void sock_life_reset_at_close(struct sock *sock);

/* The end itself: nothing is told any more, and destroy() is called at the end of the turn. */
void sock_life_release(struct sock *sock);
