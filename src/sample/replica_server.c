#include "sample/replica_server.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/memory.h"
#include "http/h1_write.h"
#include "sample/replica_job.h"
#include "sample/websocket.h"

#define JSON_FIELDS "Content-Type: application/json\r\n"
#define TEXT_FIELDS "Content-Type: text/plain; charset=utf-8\r\n"

/* Of a path that is shown in an answer. */
#define SHOWN_PATH_MAX 1024

static const struct inbound_settings settings = {
    .limits = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX},
    .body_bytes_max = REPLICA_SERVER_BODY_MAX,
    .header_timeout_ms = 10 * 1000,
    .idle_timeout_ms = 75 * 1000,
    .connections_max = 65536,
};

static void answer_text(struct stream *stream, uint16_t status, const char *text)
{
    inbound_answer(stream, status, VIEW(TEXT_FIELDS), view_of(text));
}

static void answer_not_found(struct replica_server *server, struct stream *stream,
                             const struct head *head)
{
    struct view path = view_first(head->path, SHOWN_PATH_MAX);
    size_t capacity = path.size * ESCAPE_GROWTH_MAX + 128;
    char *body = sock_text(server->socks, capacity);
    size_t size = (size_t)sprintf(body, "{\"message\":\"<Error> '");

    size += escape_json(path, body + size, path.size * ESCAPE_GROWTH_MAX);
    size += (size_t)sprintf(body + size, "' endpoint does not exist in server replicas\","
                                         "\"status\":\"failure\"}");
    inbound_answer(stream, 404, VIEW(JSON_FIELDS), (struct view){body, size});
}

static void answer_status(struct replica_server *server, struct stream *stream, uint16_t status)
{
    struct h1_writer writer;
    char *text;

    if (status != 204 && status != 304) {
        text = sock_text(server->socks, 8);
        inbound_answer(stream, status, VIEW(TEXT_FIELDS),
                       (struct view){text, (size_t)sprintf(text, "%u\n", status)});
        return;
    }
    /* These two have no body and no Content-Length (RFC 9110 8.6). */
    text = sock_text(server->socks, 64);
    h1_write_init(&writer, text, 64);
    h1_write_status_line(&writer, status, VIEW(""));
    stream_send_head(stream, &(struct stream_head){.text = h1_write_result(&writer),
                                                   .body = {.kind = FRAMING_NONE},
                                                   .status = status});
    stream_send_end(stream, VIEW(""));
}

static void answer_websocket(struct replica_server *server, struct stream *stream,
                             const struct head *head)
{
    const struct field *key = head_find_named(head, VIEW("Sec-WebSocket-Key"));
    const struct field *version = head_find_named(head, VIEW("Sec-WebSocket-Version"));
    char accept[WEBSOCKET_ACCEPT_BYTES];

    if (!head->asks_upgrade || !version || !view_equals(version->value, VIEW("13"))) {
        inbound_answer(stream, 426, VIEW("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
                       VIEW(""));
        return;
    }
    if (!key || !websocket_accept(key->value, accept)) {
        answer_text(stream, 400, "Sec-WebSocket-Key is missing or malformed\n");
        return;
    }
    replica_job_websocket(server, stream, accept);
}

/* "/bytes/12" with "/bytes/" -> 12; false where it is another path or no number up to `max`. */
static bool path_number(struct view path, struct view prefix, uint64_t max, uint64_t *number)
{
    return view_starts_with(path, prefix) &&
           view_to_number(view_after(path, prefix.size), max, number) == 0;
}

/* The endpoints with a number in their path; false where it is none of them. */
static bool answer_numbered(struct replica_server *server, struct stream *stream,
                            const struct head *head)
{
    bool has_body = head->method != METHOD_HEAD;
    uint64_t number;

    if (path_number(head->path, VIEW("/bytes/"), REPLICA_SERVER_BYTES_MAX, &number)) {
        replica_job_bytes(server, stream, has_body, number);
        return true;
    }
    if (path_number(head->path, VIEW("/stream/"), REPLICA_SERVER_PIECES_MAX, &number)) {
        replica_job_stream(server, stream, has_body, number);
        return true;
    }
    if (path_number(head->path, VIEW("/slow/"), REPLICA_SERVER_SLOW_MAX, &number)) {
        replica_job_slow(server, stream, number);
        return true;
    }
    if (path_number(head->path, VIEW("/status/"), 599, &number) && number >= 200) {
        answer_status(server, stream, (uint16_t)number);
        return true;
    }
    return false;
}

static bool answer_get(struct replica_server *server, struct stream *stream,
                       const struct head *head)
{
    if (view_equals(head->path, VIEW("/home"))) {
        inbound_answer(stream, 200, VIEW(JSON_FIELDS),
                       (struct view){server->home, server->home_bytes});
        return true;
    }
    if (view_equals(head->path, VIEW("/heartbeat"))) {
        inbound_answer(stream, 200, VIEW(""), VIEW(""));
        return true;
    }
    if (view_equals(head->path, VIEW("/healthcheck"))) {
        answer_text(stream, 200, "OK");
        return true;
    }
    if (view_equals(head->path, VIEW("/ws"))) {
        answer_websocket(server, stream, head);
        return true;
    }
    return answer_numbered(server, stream, head);
}

static void on_request(struct inbound *inbound, struct stream *stream, const struct head *head)
{
    struct replica_server *server = inbound->group->owner;
    bool is_get = head->method == METHOD_GET || head->method == METHOD_HEAD;

    if (is_get && answer_get(server, stream, head))
        return;
    if (head->method == METHOD_POST && view_equals(head->path, VIEW("/echo"))) {
        replica_job_echo(server, stream, head);
        return;
    }
    answer_not_found(server, stream, head);
}

static const struct inbound_events inbound_events = {.on_request = on_request};

void replica_server_init(struct replica_server *server, struct sock_group *socks, const char *id)
{
    *server = (struct replica_server){.loop = socks->loop, .socks = socks};
    list_init(&server->jobs);
    inbound_group_init(&server->inbounds, socks, &inbound_events, &settings, server);
    server->home_bytes = (size_t)sprintf(server->home, "{\"message\":\"Hello from Server: ");
    server->home_bytes +=
        escape_json(view_first(view_of(id), REPLICA_SERVER_ID_BYTES),
                    server->home + server->home_bytes, REPLICA_SERVER_ID_BYTES * ESCAPE_GROWTH_MAX);
    server->home_bytes +=
        (size_t)sprintf(server->home + server->home_bytes, "\",\"status\":\"successful\"}");
    server->block = memory_allocate(REPLICA_JOB_BLOCK_BYTES);
    for (size_t i = 0; i < REPLICA_JOB_BLOCK_BYTES; i++)
        server->block[i] = (char)('a' + i % 26);
}

void replica_server_finish(struct replica_server *server)
{
    inbound_group_finish(&server->inbounds);
    free(server->block);
}

void replica_server_drain(struct replica_server *server)
{
    inbound_group_drain(&server->inbounds);
    replica_job_drain_all(server);
}
