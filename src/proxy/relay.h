/*
 * The heads and trailers of an answer on their way to the client, written anew from what the
 * replica sent. Bodies: proxy/body.h.
 */
#pragma once

#include "proxy/exchange.h"

/* Passes news.interim on. */
void relay_interim(struct exchange *x);

/* The head of the answer; from here on nothing but its own end may follow. */
void relay_head(struct exchange *x, const struct head *head);

/* The end of the answer with news.trailers. */
void relay_end(struct exchange *x);
