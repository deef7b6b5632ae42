/*
 * What the parts of an inbound share, those that open it (inbound.c), take its requests
 * (inbound_request.c) and give its answers (inbound_answer.c): how its connection goes on, waits
 * and ends.
 *
 * Owner: the inbound.
 */
#pragma once

#include "conn/inbound.h"

/* What inbound->state says. */
enum inbound_state {
    INBOUND_HEAD,   /* between requests, or in the middle of a head */
    INBOUND_BODY,   /* the head was told, the body is coming in */
    INBOUND_ANSWER, /* the request is whole, its answer is not */
    INBOUND_TUNNEL,
    INBOUND_CLOSED,
};

/* Its connection waits so long for what comes next. */
void inbound_life_set_deadline(struct inbound *inbound, uint32_t after_ms);

/* Receives, or not: not while the holder has bytes in hand, nor while a next request waits for the
 * answer to this one. */
void inbound_life_update_pause(struct inbound *inbound);

/* Request and answer are over: the connection is free for the next one. */
void inbound_life_begin_rest(struct inbound *inbound);

/* Keeps bytes that are not understood yet. -ENOBUFS where they are too many. */
MUST_USE int inbound_life_keep(struct inbound *inbound, struct view bytes);

/* Frees what is kept of the bytes received; it may be among the pieces that are about to be sent:
 * they leave first. */
void inbound_life_forget_kept(struct inbound *inbound);

/* The chunked body is read. */
void inbound_life_forget_chunks(struct inbound *inbound);

/* Ends it at once; its holder, if there is one, is told, `why` is one sentence. */
void inbound_life_break(struct inbound *inbound, enum stream_failure failure, const char *why);

/* The client broke a rule or a limit: it is told with `status` and `reason`, unless an answer is
 * under way, and the connection ends. */
void inbound_life_refuse(struct inbound *inbound, uint16_t status, enum stream_failure failure,
                         const char *reason);

/* Ends it: what is queued goes out; with `lingers` the client may still be sending. */
void inbound_life_close(struct inbound *inbound, bool lingers);

/* Ends it at once, so that the client sees that something is missing. */
void inbound_life_abort(struct inbound *inbound);
