/*
 * A small HTTP client that waits: for the words that ask a balancer something. On the program's own
 * loop and connections.
 *
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "conn/outbound.h"

#define CTL_CLIENT_ANSWER_BYTES_MAX (64u << 20)
#define CTL_CLIENT_TARGET_BYTES_MAX 2048
#define CTL_CLIENT_TOKEN_BYTES      513
#define CTL_CLIENT_HOST_BYTES       300
#define CTL_CLIENT_TAG_BYTES        64

struct ctl_client {
    struct loop loop;
    struct sock_group socks;
    struct outbound_pool pool;
    struct address address;
    char host[CTL_CLIENT_HOST_BYTES];   /* as the request names it */
    char token[CTL_CLIENT_TOKEN_BYTES]; /* empty: none */
    bool is_open;
};

/* What is asked. */
struct ctl_client_request {
    enum method method;
    const char *target;
    const char *body;          /* JSON; NULL: none */
    const char *if_match;      /* NULL: whatever */
    const char *last_event_id; /* NULL: none */
};

/* Owner: the caller; ends with ctl_client_forget(). */
struct ctl_client_answer {
    uint16_t status;
    struct buffer body;
};

/* A piece of a long answer; false ends it. */
typedef bool (*ctl_client_fn)(void *owner, struct view bytes);

MUST_USE int ctl_client_open(struct ctl_client *client, struct error *why);

/* Harmless on one of zeroes. */
void ctl_client_close(struct ctl_client *client);

/* Waits for the whole answer, whatever its status. -errno with a sentence where there is none. */
MUST_USE int ctl_client_ask(struct ctl_client *client, const struct ctl_client_request *request,
                            struct ctl_client_answer *answer, struct error *why);
void ctl_client_forget(struct ctl_client_answer *answer);

/*
 * Waits and gives each piece of the answer as it comes, until the other side or `on_bytes` ends it
 * or nothing has come for half a minute. An answer other than 200 goes into `answer` instead.
 */
MUST_USE int ctl_client_follow(struct ctl_client *client, const struct ctl_client_request *request,
                               ctl_client_fn on_bytes, void *owner,
                               struct ctl_client_answer *answer, struct error *why);
