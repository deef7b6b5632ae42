/*
 * The HTTP API of the keeper: takes requests from two doors, finds their route, holds them to the
 * rules (control/security.h), collects the body, and hands them to the handler of the resource.
 *
 *     the control door   the control port: every route
 *     the traffic door   links from the workers: the classic calls of the traffic port
 *
 * Owner: the keeper. A request lives until it is answered or its client is gone, and as long as
 * somebody holds it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "conn/inbound.h"
#include "control/security.h"

#define API_BODY_BYTES_MAX   (64 * 1024)
#define API_PATH_BYTES_MAX   1024
#define API_ANSWER_BYTES_MAX (16u << 20)
#define API_CONNECTIONS_MAX  512
#define API_CONNECTIONS_MIN  32
#define API_PARTS_MAX        2 /* variable parts of a path */
#define API_PART_BYTES       128

struct keeper;
struct api;
struct api_request;

typedef void (*api_handler_fn)(struct api_request *request);

enum {
    API_CLASSIC = 1u << 0,  /* also through the traffic door; errors in the classic form */
    API_MUTATION = 1u << 1, /* changes something: who may is asked */
    API_OPEN = 1u << 2,     /* any Host may ask: probes */
};

struct api_route {
    enum method method;
    const char *path; /* a part that is "*" stands for anything */
    api_handler_fn handle;
    unsigned flags;
};

struct api_door {
    struct api *api;
    struct inbound_group inbounds;
    bool is_traffic;
};

struct api {
    struct keeper *keeper;
    const struct api_route *routes;
    struct security security;
    struct api_door control;
    struct api_door traffic;
    struct list requests;
};

struct api_request {
    struct list list;
    struct garbage garbage;
    struct api *api;
    struct stream *stream; /* NULL: it was answered or its client has gone */
    const struct api_route *route;
    enum method method;
    bool is_traffic;
    struct timer delay;   /* until a guess is answered ... */
    uint16_t refused;     /* ... with this status, 0: it was not refused ... */
    struct error refusal; /* ... and this sentence */
    bool is_long;         /* its answer has begun and goes on: events */
    unsigned holds;       /* whoever answers later */
    unsigned part_count;
    char parts[API_PARTS_MAX][API_PART_BYTES]; /* what stood at each "*", decoded */
    char path[API_PATH_BYTES_MAX];
    char query[API_PATH_BYTES_MAX];
    char client[INBOUND_IP_BYTES];
    char if_match[64];      /* empty: none */
    char last_event_id[64]; /* the same */
    struct buffer body;
    struct buffer fields; /* of the answer */
    struct buffer answer;
    void (*on_gone)(struct api_request *request);    /* its client left; may be NULL */
    void (*on_drained)(struct api_request *request); /* of a long answer; may be NULL */
    void *work;                                      /* the handler's */
};

/* The routes end with one whose path is NULL. They and the rules' texts stay the caller's. */
void api_init(struct api *api, struct keeper *keeper, const struct api_route *routes,
              struct sock_group *socks, const struct security_rules *rules);

/* Connections end now. */
void api_finish(struct api *api);

/* A client of the control port. */
void api_accept(struct api *api, int fd, const struct address *client);

/* The end of a link that a worker sends classic calls over. */
void api_accept_link(struct api *api, int fd);

/* Answers; the request may be gone afterwards unless it is held. A client that has gone is none of
 * the caller's business. */
void api_answer(struct api_request *request, uint16_t status, const char *type, struct view body);

/* The same with JSON; takes over the reference to `body`. */
void api_answer_json(struct api_request *request, uint16_t status, json_t *body);

/* An error, in the form of the route: the classic failure, or {"error": ...}. */
void api_fail(struct api_request *request, uint16_t status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* One more field of the answer to come. */
void api_add_field(struct api_request *request, const char *name, const char *value);

/* Who answers later holds it until then. */
void api_hold(struct api_request *request);
void api_release(struct api_request *request);

/* Begins an answer without an end; api_send() goes on. False where the client is gone. */
bool api_begin_long(struct api_request *request, const char *type);
bool api_send(struct api_request *request, struct view bytes);
void api_end_long(struct api_request *request);

/* Breaks it off: the client sees that it is not whole. */
void api_cut(struct api_request *request);

/* The body as JSON, a new reference, or NULL after an answer of 400. */
json_t *api_read_json(struct api_request *request);

/* The value of a parameter of the query, decoded into `value`; false where it is not there or too
 * long. */
bool api_query(const struct api_request *request, const char *name, char *value, size_t capacity);
