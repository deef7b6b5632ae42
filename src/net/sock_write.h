/*
 * The way out of a sock: what one callback writes is gathered by reference; when that returns it is
 * sent, or, where it is little, held for the end of the turn (net/outbox.h); what the kernel does
 * not take is queued. In this order it leaves, and our FIN behind it. sock_write() itself is
 * declared in net/sock.h.
 *
 * Owner: the sock.
 */
#pragma once

#include "net/sock.h"

/* What was gathered, for whichever sock: held where it is little, else sent or queued. */
void sock_write_gathered(struct sock_group *group);

/* Sends what the sock holds for the end of the turn: before anything else of it is sent or held. */
void sock_write_held(struct sock *sock);

/* The same for all socks, and each one's FIN. */
void sock_write_all_held(struct sock_group *group);

/* Sends what is queued, as far as the kernel takes it. */
void sock_write_queue(struct sock *sock);

/* Our FIN, where it is wanted and nothing stands before it any more. */
void sock_write_fin(struct sock *sock);

/* What the loop does after each callback, and before it waits (net/loop.h). */
void sock_write_on_settle(void *owner);
void sock_write_on_rest(void *owner);
