/*
 * A body in the chunked transfer coding (RFC 9112 7.1) as it leaves by a sock: what both sides of
 * the program send when they do not know how long it will be.
 */
#pragma once

#include "net/sock.h"

/* One chunk. `data` is not empty (an empty chunk would be the end) and stays as sock_write() asks.
 */
void chunk_out_write(struct sock *sock, struct view data);

/* The last chunk; `trailers` are field lines with their CRLFs, or empty. */
void chunk_out_end(struct sock *sock, struct view trailers);
