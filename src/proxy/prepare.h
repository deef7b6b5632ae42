/*
 * What is made of a request's head while it is there: the text that attempts send, and the hash
 * that places it.
 */
#pragma once

#include "proxy/exchange.h"

/* Writes the request for a replica of `service` and hashes its key. True where the key may be in
 * the body: then prepare_key_from_body() decides. */
bool prepare_request(struct exchange *x, const struct table_service *service);

/* Is it so long that its text takes memory of its own? */
bool prepare_is_long(const struct head *head);

/* Gives back the memory of the text. It is not about to be sent any more. */
void prepare_give_text(struct exchange *x);

/* Looks for the key in what is held of the body. False where more of it is needed. */
bool prepare_key_from_body(struct exchange *x, const struct table_service *service);

/* Adds to the request what only the replica it goes to now is told: of a slot it has just been
 * given, who owned it before. */
void prepare_attempt(struct exchange *x, const struct table_service *service);

/* Writes the request for the keeper, which learns who asks and by which kind of listener. */
void prepare_link_request(struct exchange *x);
