/* What is counted and logged of an exchange: segments and access log. */
#pragma once

#include "proxy/exchange.h"

/* A request has begun. */
void record_begin(struct exchange *x);

/* The head of a replica's own answer is here: counts what is judged by it, once an attempt. */
void record_answer(struct exchange *x);

/* An attempt is over: counts it at its replica. `is_well`: the replica did nothing wrong. Once an
 * attempt. */
void record_end_attempt(struct exchange *x, bool is_well);

/* The client has its answer, or will not get one: counts and logs it, once; the exchange has no
 * client afterwards. */
void record_client_done(struct exchange *x);

/* The status under which a client's end before its answer is logged: what the inbound told it, or
 * 499. */
uint16_t record_status_of(enum stream_failure failure);

/* The value of a field in a head in HTTP/1 form that we wrote; empty where there is none. */
struct view record_find_field(struct view text, struct view name);

/* A request that was refused before it became one. */
void record_refused(struct proxy *proxy, struct view client_ip, uint16_t status,
                    const char *reason);
