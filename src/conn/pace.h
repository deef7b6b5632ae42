/*
 * How long a client may use one connection, and how slowly: requests and age of a connection, bytes
 * of a body in a stretch of time.
 *
 * Owner: the inbound.
 */
#pragma once

#include "conn/inbound.h"

/* A connection begins. */
void pace_open(struct inbound *inbound);

/* A request begins: is it the last one that this connection may carry? Once a request. */
bool pace_is_last(struct inbound *inbound);

/* A stretch of idle_timeout_ms begins: of a body, or anew where the client was not free to send.
 * Its end is the deadline of the connection. */
void pace_begin(struct inbound *inbound);

/* Bytes of a body have come: where they are as many as a stretch wants, the next one begins. */
void pace_take(struct inbound *inbound, size_t bytes);
