/*
 * The side of an inbound that takes requests: bytes become heads, bodies and trailers and are told
 * to the group and to the holder of its stream; what comes before its time is kept.
 *
 * Owner: the inbound.
 */
#pragma once

#include "conn/inbound.h"

/* What its sock tells: bytes have come, or the end. */
void inbound_request_on_bytes(struct sock *sock, struct view bytes);
void inbound_request_on_fin(struct sock *sock);

/* The answer before is complete and the next request, or a part of it, is there. */
void inbound_request_on_again(struct ready *ready);
