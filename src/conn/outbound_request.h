/*
 * The side of an outbound that gives requests: framed anew (RFC 9112 6.3), as their holder sends
 * them.
 *
 * Owner: the outbound.
 */
#pragma once

#include "conn/outbound.h"

/* The face of an outbound's stream. */
extern const struct stream_calls outbound_request_calls;
