/*
 * What the parts of an outbound share, those that connect it (outbound.c), give its requests
 * (outbound_request.c) and take its answers (outbound_answer.c): how its connection waits, is kept
 * for the next request and ends.
 *
 * Owner: the outbound.
 */
#pragma once

#include "conn/outbound.h"

/* What outbound->state says. */
enum outbound_state {
    OUTBOUND_IDLE, /* in the pool */
    OUTBOUND_HEAD, /* a request was begun, its answer's head is not here yet */
    OUTBOUND_BODY,
    OUTBOUND_TUNNEL,
    OUTBOUND_CLOSED,
};

/* The lists of the place it is connected to. */
static inline struct outbound_list *outbound_life_place(const struct outbound *outbound)
{
    return &outbound->pool->places[outbound->place];
}

static inline uint64_t outbound_life_now_us(const struct outbound *outbound)
{
    return outbound->pool->socks->loop->now_us;
}

/* Whoever is at its place takes connections or answers: those who connect to it may wait longer. */
static inline void outbound_life_note_alive(struct outbound *outbound)
{
    outbound_life_place(outbound)->alive_us = outbound_life_now_us(outbound);
}

/* Its connection waits so long, for what outbound->state says. */
void outbound_life_start_timer(struct outbound *outbound, uint32_t after_ms);

/* Receives, or not: not while the holder has bytes in hand. */
void outbound_life_update_pause(struct outbound *outbound);

/* Frees what is kept of the bytes received; it may be among the pieces that are about to be sent:
 * they leave first. */
void outbound_life_forget_kept(struct outbound *outbound);

/* Request and answer are over: idle, for the next request. Where too many are, the oldest ends. */
void outbound_life_keep(struct outbound *outbound);

/* Ends it: what is queued goes out. */
void outbound_life_close(struct outbound *outbound);

/* Ends it at once: its other side may still be sending, and is told that nobody listens. */
void outbound_life_abort(struct outbound *outbound);

/* The same, and its holder, if there is one, is told; `why` is one sentence. */
void outbound_life_fail(struct outbound *outbound, enum stream_failure failure, const char *why);

/* The same where it ended before its time: a replica that had begun to answer broke the protocol.
 */
void outbound_life_fail_early(struct outbound *outbound, const char *why);
