/*
 * Heads on their way through: what is passed on, what is dropped, what is ours (rules of the wire,
 * 3; RFC 9110 7.6). Written anew from the model; framing and Connection are the streams' business.
 */
#pragma once

#include "http/h1_write.h"
#include "http/head.h"

/* Most bytes we add to a head. */
#define FORWARD_EXTRA_BYTES 1024

/* What a request head is given on its way. Empty views: not given. */
struct forward_request {
    struct view client_ip;
    struct view default_host; /* for an HTTP/1.0 request that has none */
    struct view request_id;   /* drawn by us */
    struct view link;         /* value of X-Roost-Link, for the keeper alone */
    bool is_trusted;          /* the client may say who it forwards for */
};

/* Does the request end here? OPTIONS whose Max-Forwards is used up does (RFC 9110 7.6.2). */
bool forward_is_final(const struct head *head);

/* Bytes that forward_request_head() needs at most, but for hosts. */
size_t forward_request_bytes(const struct head *head);

/* First line and fields, no empty line. Says where in it the value of X-Request-ID stands, or
 * gives an empty view. */
struct view forward_request_head(struct h1_writer *writer, const struct head *head,
                                 const struct forward_request *given);

/* What an answer head is given: empty views: not given. */
struct forward_answer {
    struct view replica;
    struct view request_id;
    bool is_held; /* it waited so long for its owner */
    uint64_t held_ms;
};

/* The same for an answer; also for an interim one. */
size_t forward_answer_bytes(const struct head *head);
void forward_answer_head(struct h1_writer *writer, const struct head *head,
                         const struct forward_answer *given);

/* Field lines of a trailer section that may be passed on, into `writer`. */
void forward_trailers(struct h1_writer *writer, const struct field *fields, unsigned count);
size_t forward_trailers_bytes(const struct field *fields, unsigned count);
