/* Answers of our own: errors, the health check, the landing page. Never HTML but for the landing
 * page in a browser. */
#pragma once

#include "conn/stream.h"
#include "net/sock.h"
#include "proxy/table.h"

/* Most bytes of the sentence or path that an answer repeats. */
#define ANSWER_TEXT_BYTES_MAX 1024

/*
 * Fields and body of an error of ours: under compat {"message":"<Error> …","status":"failure"},
 * else {"error":…,"request_id":…}. Both views are valid until the callback of the loop returns.
 */
void answer_write_error(struct sock_group *socks, enum table_compat compat, uint16_t status,
                        struct view sentence, struct view request_id, struct view *fields,
                        struct view *body);

/* The same, sent: the stream is over with it. */
void answer_send_error(struct sock_group *socks, struct stream *stream, enum table_compat compat,
                       uint16_t status, struct view sentence, struct view request_id);

/* GET /healthcheck. */
void answer_send_health(struct sock_group *socks, struct stream *stream, enum method method,
                        bool is_draining);

/* OPTIONS that is for us: which methods may be asked. */
void answer_send_options(struct sock_group *socks, struct stream *stream);

/* GET / that no replica knows, under compat: assignment. `wants_html`: the client is a browser. */
void answer_send_landing(struct sock_group *socks, struct stream *stream, bool wants_html);
