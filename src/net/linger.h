/*
 * The last time of a sock that its owner has closed: what is queued goes out, what still comes is
 * thrown away, until the other side has closed too or the limits of sock_close() are reached. While
 * it lingers a sock is its own owner.
 */
#pragma once

#include "net/sock.h"

/* For sock_close(): from now on the sock ends by itself, with sock_release(). */
void linger_begin(struct sock *sock);
