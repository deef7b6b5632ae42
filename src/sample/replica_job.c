#include "sample/replica_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "http/h1_write.h"
#include "sample/websocket.h"

/* Of a head that a job writes. */
#define HEAD_BYTES 256

/* A client's Content-Type that is given back with an echo. */
#define TYPE_BYTES_MAX 100

/* Copied and unmasked at once. */
#define WEBSOCKET_PIECE_BYTES (16 * 1024)

/* Close codes, RFC 6455 7.4.1. */
#define CLOSE_GOING_AWAY 1001
#define CLOSE_PROTOCOL   1002

/* How long a client may take to close its side of a WebSocket. */
#define CLOSE_US (2 * CLOCK_US_PER_S)

enum job_kind { JOB_BYTES, JOB_STREAM, JOB_SLOW, JOB_ECHO, JOB_WEBSOCKET };

struct job {
    struct list list;
    struct replica_server *server;
    struct stream *stream; /* NULL: over */
    struct timer timer;
    struct ready ready;
    struct garbage garbage;
    enum job_kind kind;
    uint64_t count; /* bytes, pieces or milliseconds asked for */
    uint64_t left;
    size_t held; /* bytes of the request not consumed yet */
    char accept[WEBSOCKET_ACCEPT_BYTES];
    bool is_open; /* 101 was sent */
    bool has_sent_close;
    bool has_ended; /* a WebSocket whose other side is still to close */
    struct websocket socket;
    char control[WEBSOCKET_CONTROL_BYTES]; /* payload of a ping or close so far */
    size_t control_bytes;
};

static void on_body(struct stream *stream, struct view bytes);
static void on_end(struct stream *stream, const struct field *trailers, unsigned count);
static void on_drained(struct stream *stream);
static void on_reset(struct stream *stream, enum stream_failure failure, const char *why);
static void on_timer(struct timer *timer);
static void on_ready(struct ready *ready);

static const struct stream_events stream_events = {
    .on_body = on_body,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_reset = on_reset,
};

/* ---- what all jobs share ---- */

static struct job *create(struct replica_server *server, struct stream *stream, enum job_kind kind)
{
    struct job *job = memory_allocate(sizeof(*job));

    job->kind = kind;
    job->server = server;
    job->stream = stream;
    timer_init(&job->timer, on_timer);
    ready_init(&job->ready, on_ready);
    list_init(&job->list);
    list_append(&server->jobs, &job->list);
    stream_hold(stream, &stream_events, job);
    return job;
}

static void free_job(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct job, garbage));
}

static void end(struct job *job)
{
    job->stream = NULL;
    timer_stop(&job->timer);
    ready_cancel(&job->ready);
    list_remove(&job->list);
    loop_dispose(job->server->loop, &job->garbage, free_job);
}

/* The last thing of an answer: its stream is gone then. */
static void finish(struct job *job)
{
    stream_send_end(job->stream, VIEW(""));
    end(job);
}

static void send_head(struct job *job, uint16_t status, struct view fields,
                      struct body_framing body)
{
    char *text = sock_text(job->server->socks, HEAD_BYTES);
    struct h1_writer writer;

    h1_write_init(&writer, text, HEAD_BYTES);
    h1_write_status_line(&writer, status, VIEW(""));
    h1_write_bytes(&writer, fields);
    stream_send_head(
        job->stream,
        &(struct stream_head){.text = h1_write_result(&writer), .body = body, .status = status});
}

/* ---- /bytes and /stream ---- */

static void pump_bytes(struct job *job)
{
    while (job->left) {
        size_t size =
            job->left < REPLICA_JOB_BLOCK_BYTES ? (size_t)job->left : REPLICA_JOB_BLOCK_BYTES;

        stream_send_body(job->stream, (struct view){job->server->block, size});
        job->left -= size;
        if (job->left && stream_queued(job->stream))
            return;
    }
    finish(job);
}

void replica_job_bytes(struct replica_server *server, struct stream *stream, bool has_body,
                       uint64_t count)
{
    struct job *job;

    if (count <= REPLICA_JOB_BLOCK_BYTES) {
        inbound_answer(stream, 200, VIEW("Content-Type: application/octet-stream\r\n"),
                       (struct view){server->block, (size_t)count});
        return;
    }
    job = create(server, stream, JOB_BYTES);
    job->left = has_body ? count : 0;
    send_head(job, 200, VIEW("Content-Type: application/octet-stream\r\n"),
              (struct body_framing){FRAMING_LENGTH, count});
    pump_bytes(job);
}

/* One piece a turn of the loop, so that they leave one by one. */
static void pump_piece(struct job *job)
{
    char *text = sock_text(job->server->socks, 32);

    if (job->left == 0) {
        finish(job);
        return;
    }
    stream_send_body(job->stream,
                     (struct view){text, (size_t)sprintf(text, "piece %" PRIu64 "\n",
                                                         (uint64_t)(job->count - job->left) + 1)});
    job->left--;
    if (stream_queued(job->stream) == 0)
        loop_make_ready(job->server->loop, &job->ready);
}

void replica_job_stream(struct replica_server *server, struct stream *stream, bool has_body,
                        uint64_t pieces)
{
    struct job *job = create(server, stream, JOB_STREAM);

    job->count = pieces;
    job->left = has_body ? pieces : 0;
    send_head(job, 200, VIEW("Content-Type: text/plain\r\n"),
              (struct body_framing){FRAMING_CHUNKED, 0});
    pump_piece(job);
}

/* ---- /slow ---- */

static void answer_slow(struct job *job)
{
    char *text = sock_text(job->server->socks, 64);
    int size = sprintf(text, "{\"message\":\"slept %llu ms\",\"status\":\"successful\"}",
                       (unsigned long long)job->count);

    inbound_answer(job->stream, 200, VIEW("Content-Type: application/json\r\n"),
                   (struct view){text, (size_t)size});
    end(job);
}

static void on_timer(struct timer *timer)
{
    struct job *job = CONTAINER_OF(timer, struct job, timer);

    if (job->kind == JOB_SLOW) {
        answer_slow(job);
        return;
    }
    stream_reset(job->stream);
    end(job);
}

void replica_job_slow(struct replica_server *server, struct stream *stream, uint64_t delay_ms)
{
    struct job *job = create(server, stream, JOB_SLOW);

    job->count = delay_ms;
    loop_start_timer(server->loop, &job->timer, delay_ms * CLOCK_US_PER_MS);
}

/* ---- /echo ---- */

void replica_job_echo(struct replica_server *server, struct stream *stream, const struct head *head)
{
    const struct field *type = head_find_named(head, VIEW("Content-Type"));
    struct job *job = create(server, stream, JOB_ECHO);
    struct body_framing body = head->body;
    char fields[TYPE_BYTES_MAX + 32];
    struct h1_writer writer;

    if (body.kind == FRAMING_NONE)
        body = (struct body_framing){FRAMING_LENGTH, 0};
    h1_write_init(&writer, fields, sizeof(fields));
    if (type && type->value.size <= TYPE_BYTES_MAX)
        h1_write_field(&writer, VIEW("Content-Type"), type->value);
    send_head(job, 200, h1_write_result(&writer), body);
}

/* ---- /ws ---- */

static void send_frame(struct job *job, bool is_final, enum websocket_opcode opcode,
                       struct view payload, uint64_t length)
{
    char *header = sock_text(job->server->socks, WEBSOCKET_HEADER_BYTES);
    size_t size = websocket_write_header(is_final, opcode, length, header);

    stream_send_body(job->stream, (struct view){header, size});
    stream_send_body(job->stream, payload);
}

/* Our side is closed; the stream is over when theirs is. */
static void end_websocket(struct job *job)
{
    job->has_ended = true;
    stream_send_end(job->stream, VIEW(""));
    loop_start_timer(job->server->loop, &job->timer, CLOSE_US);
}

static void send_close(struct job *job, uint16_t code)
{
    char *payload = sock_text(job->server->socks, 2);

    if (job->has_sent_close)
        return;
    payload[0] = (char)(code >> 8);
    payload[1] = (char)code;
    send_frame(job, true, WEBSOCKET_CLOSE, (struct view){payload, 2}, 2);
    job->has_sent_close = true;
}

/* A whole ping, pong or close is here. */
static void answer_control(struct job *job)
{
    char *payload = sock_text(job->server->socks, WEBSOCKET_CONTROL_BYTES);
    struct view view = {payload, job->control_bytes};

    memcpy(payload, job->control, job->control_bytes);
    job->control_bytes = 0;
    if (job->socket.opcode == WEBSOCKET_PING)
        send_frame(job, true, WEBSOCKET_PONG, view, view.size);
    if (job->socket.opcode != WEBSOCKET_CLOSE)
        return;
    if (!job->has_sent_close)
        send_frame(job, true, WEBSOCKET_CLOSE, view, view.size);
    job->has_sent_close = true;
    end_websocket(job);
}

static bool is_control(const struct job *job)
{
    return (job->socket.opcode & WEBSOCKET_CLOSE) != 0;
}

static void take_header(struct job *job)
{
    if (is_control(job)) {
        if (job->socket.length == 0)
            answer_control(job);
        return;
    }
    if (!job->has_sent_close)
        send_frame(job, job->socket.is_final, job->socket.opcode, VIEW(""), job->socket.length);
}

static void take_payload(struct job *job, struct view payload)
{
    if (!is_control(job)) {
        if (!job->has_sent_close)
            stream_send_body(job->stream, payload);
        return;
    }
    memcpy(job->control + job->control_bytes, payload.data, payload.size);
    job->control_bytes += payload.size;
    if (job->control_bytes == job->socket.length)
        answer_control(job);
}

/* Echoes what is in `piece`, whose memory stays until it is sent. */
static void take_piece(struct job *job, char *piece, size_t size)
{
    struct view payload;

    while (!job->has_ended) {
        switch (websocket_read(&job->socket, &piece, &size, &payload)) {
        case WEBSOCKET_MORE:
            return;
        case WEBSOCKET_HEADER:
            take_header(job);
            break;
        case WEBSOCKET_PAYLOAD:
            take_payload(job, payload);
            break;
        case WEBSOCKET_BAD:
            send_close(job, CLOSE_PROTOCOL);
            end_websocket(job);
            return;
        }
    }
}

static void take_frames(struct job *job, struct view bytes)
{
    while (bytes.size && !job->has_ended) {
        size_t size = bytes.size < WEBSOCKET_PIECE_BYTES ? bytes.size : WEBSOCKET_PIECE_BYTES;
        char *piece = sock_text(job->server->socks, size);

        memcpy(piece, bytes.data, size);
        bytes = view_after(bytes, size);
        take_piece(job, piece, size);
    }
}

void replica_job_websocket(struct replica_server *server, struct stream *stream, const char *accept)
{
    struct job *job = create(server, stream, JOB_WEBSOCKET);

    memcpy(job->accept, accept, sizeof(job->accept));
}

/* The request is whole: from now on the stream is the tunnel. */
static void open_websocket(struct job *job)
{
    char fields[128];
    int size = snprintf(fields, sizeof(fields),
                        "Upgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n", job->accept);

    job->is_open = true;
    send_head(job, 101, (struct view){fields, (size_t)size},
              (struct body_framing){FRAMING_TUNNEL, 0});
}

void replica_job_drain_all(struct replica_server *server)
{
    LIST_FOR_EACH (at, &server->jobs) {
        struct job *job = CONTAINER_OF(at, struct job, list);

        if (job->kind != JOB_WEBSOCKET || !job->is_open || job->has_ended)
            continue;
        send_close(job, CLOSE_GOING_AWAY);
        end_websocket(job);
    }
}

/* ---- news of the stream ---- */

static void on_body(struct stream *stream, struct view bytes)
{
    struct job *job = stream->holder;

    if (job->kind == JOB_WEBSOCKET)
        take_frames(job, bytes);
    if (job->kind == JOB_ECHO)
        stream_send_body(stream, bytes);
    /* Not faster in than out. */
    if ((job->kind == JOB_WEBSOCKET || job->kind == JOB_ECHO) && stream_queued(stream)) {
        job->held += bytes.size;
        return;
    }
    stream_consumed(stream, bytes.size);
}

static void on_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    struct job *job = stream->holder;

    (void)trailers;
    (void)count;
    if (job->kind == JOB_ECHO)
        finish(job);
    if (job->kind != JOB_WEBSOCKET)
        return;
    if (!job->is_open)
        open_websocket(job);
    else if (job->has_ended)
        end(job);
    else
        finish(job);
}

static void on_drained(struct stream *stream)
{
    struct job *job = stream->holder;
    size_t held = job->held;

    if (job->kind == JOB_BYTES) {
        pump_bytes(job);
        return;
    }
    if (job->kind == JOB_STREAM) {
        pump_piece(job);
        return;
    }
    job->held = 0;
    if (held)
        stream_consumed(stream, held);
}

static void on_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    (void)failure;
    (void)why;
    end(stream->holder);
}

static void on_ready(struct ready *ready)
{
    pump_piece(CONTAINER_OF(ready, struct job, ready));
}
