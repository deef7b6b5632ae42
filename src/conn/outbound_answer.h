/*
 * The side of an outbound that takes answers: bytes become heads, bodies and trailers and are told
 * to the holder of its stream; then the connection is free again or ends (RFC 9112 9.3).
 *
 * Owner: the outbound.
 */
#pragma once

#include "conn/outbound.h"

/* What its sock tells, while it is idle too: bytes have come, or the end. */
void outbound_answer_on_bytes(struct sock *sock, struct view bytes);
void outbound_answer_on_fin(struct sock *sock);
