/*
 * The side of an inbound that gives answers: framed anew (RFC 9112 6.3), then the connection is
 * free again or ends.
 *
 * Owner: the inbound.
 */
#pragma once

#include "conn/inbound.h"

/* The face of an inbound's stream. */
extern const struct stream_calls inbound_answer_calls;
