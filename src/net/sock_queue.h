/*
 * What a sock's owner has written and the kernel has not taken: a buffer of the sock, there only
 * while it holds something, and counted for the whole group. While all queues together are full,
 * others wait with receiving.
 *
 * Owner: the sock.
 */
#pragma once

#include "net/sock.h"

/* Copies the bytes behind those that are queued. -ENOBUFS above SOCK_QUEUE_BYTES_MAX. */
MUST_USE int sock_queue_add(struct sock *sock, struct view bytes);

/* The kernel has taken the first `size` bytes. */
void sock_queue_take(struct sock *sock, size_t size);

/* None of it will be sent. */
void sock_queue_drop(struct sock *sock);
