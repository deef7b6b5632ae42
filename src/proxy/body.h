/*
 * The bodies on their way through an exchange: request body to the outbound, answer body to the
 * client, credit the other way, and what is held of a request so that it can be sent again.
 */
#pragma once

#include "proxy/exchange.h"

/* Room for the field lines of a request's trailer section, written anew. */
#define BODY_TRAILER_BYTES_MAX (H1_TRAILER_BYTES_MAX + HEAD_FIELDS_MAX)

/*
 * At most `bytes` of the request's body are held to be sent again; until the first byte of the
 * request has left, one receive more.
 */
void body_limit_held(struct exchange *x, size_t bytes);

/* A piece of the request's body came from the client. */
void body_take_request(struct exchange *x, struct view bytes);

/* The request is whole. */
void body_end_request(struct exchange *x, const struct field *trailers, unsigned count);

/* An attempt begins: what is held is sent. */
void body_send_held(struct exchange *x);

/* The answer has begun: nothing will be sent again. */
void body_release_held(struct exchange *x);

/* What is held goes, for good. It is not about to be sent any more. */
void body_finish_held(struct exchange *x);

/* Passes news.body on to the client. False where a discarded answer is too long to read to its end.
 */
MUST_USE bool body_pass_answer(struct exchange *x);

/* What was sent has left: the side it came from may send more. */
void body_give_request_credit(struct exchange *x);
void body_give_answer_credit(struct exchange *x);
