#include "ctl/ctl_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/h1_write.h"

#define CONNECT_MS       3000
#define ANSWER_MS        120000 /* one who adds waits until the replicas are ready */
#define SILENCE_MS       30000  /* of a long answer, which beats every ten seconds */
#define QUEUED_BYTES_MAX (16u << 20)
#define HEAD_BYTES       8192
#define TURN_US          (100 * CLOCK_US_PER_MS)

/* A question under way. */
struct call {
    struct ctl_client *client;
    struct stream *stream; /* NULL: over */
    struct ctl_client_answer *answer;
    ctl_client_fn on_bytes; /* NULL: the whole answer is wanted */
    void *owner;
    uint64_t deadline_us;
    uint32_t patience_ms;
    int result;
    struct error why;
};

int ctl_client_open(struct ctl_client *client, struct error *why)
{
    const struct outbound_settings settings = {
        .limits = {.head_bytes = HEAD_BYTES, .fields = HEAD_FIELDS_MAX},
        .idle_ms = CONNECT_MS,
        .idle_max = 1,
    };
    int result = loop_init(&client->loop, why);

    if (result < 0)
        return result;
    sock_group_init(&client->socks, &client->loop, QUEUED_BYTES_MAX);
    outbound_pool_init(&client->pool, &client->socks, &settings);
    client->is_open = true;
    return 0;
}

void ctl_client_close(struct ctl_client *client)
{
    if (!client->is_open)
        return;
    client->is_open = false;
    outbound_pool_finish(&client->pool);
    loop_finish(&client->loop);
    sock_group_finish(&client->socks);
}

void ctl_client_forget(struct ctl_client_answer *answer)
{
    buffer_finish(&answer->body);
}

static void wait_anew(struct call *call)
{
    call->deadline_us = clock_now_us() + call->patience_ms * CLOCK_US_PER_MS;
}

static void fail(struct call *call, int result, const char *reason)
{
    call->stream = NULL;
    call->result =
        error_set(&call->why, result, "%s does not answer: %s", call->client->host, reason);
}

static void break_off(struct call *call)
{
    stream_reset(call->stream);
    call->stream = NULL;
}

static void on_interim(struct stream *stream, const struct head *head)
{
    (void)stream;
    (void)head;
}

static void on_head(struct stream *stream, const struct head *head)
{
    struct call *call = stream->holder;

    call->answer->status = head->status;
    wait_anew(call);
}

static void on_body(struct stream *stream, struct view bytes)
{
    struct call *call = stream->holder;

    wait_anew(call);
    if (call->on_bytes && call->answer->status == 200) {
        if (call->on_bytes(call->owner, bytes))
            stream_consumed(stream, bytes.size);
        else
            break_off(call);
        return;
    }
    if (buffer_append(&call->answer->body, bytes) == 0) {
        stream_consumed(stream, bytes.size);
        return;
    }
    break_off(call);
    call->result = error_set(&call->why, -E2BIG, "the answer is larger than %u bytes",
                             CTL_CLIENT_ANSWER_BYTES_MAX);
}

static void on_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    struct call *call = stream->holder;

    (void)trailers;
    (void)count;
    call->stream = NULL;
}

static void on_drained(struct stream *stream)
{
    (void)stream;
}

static void on_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    switch (failure) {
    case STREAM_REFUSED:
        fail(stream->holder, -ECONNREFUSED, "nobody listens there");
        return;
    case STREAM_TIMED_OUT:
        fail(stream->holder, -ETIMEDOUT, "it cannot be reached");
        return;
    case STREAM_CLOSED:
        fail(stream->holder, -ECONNRESET, "the connection ended before the answer");
        return;
    default:
        fail(stream->holder, -EPROTO, why);
    }
}

static const struct stream_events events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_reset = on_reset,
};

/* The head in HTTP/1 form, in `memory`. False where it does not fit. */
static bool write_head(const struct ctl_client *client, const struct ctl_client_request *request,
                       char memory[HEAD_BYTES], struct view *text)
{
    char bearer[CTL_CLIENT_TOKEN_BYTES + 8];
    struct h1_writer writer;

    h1_write_init(&writer, memory, HEAD_BYTES);
    h1_write_request_line(&writer, view_of(head_method_text(request->method)),
                          view_of(request->target));
    h1_write_field(&writer, VIEW("Host"), view_of(client->host));
    h1_write_field(&writer, VIEW("User-Agent"), VIEW("roost-ctl"));
    if (client->token[0]) {
        snprintf(bearer, sizeof(bearer), "Bearer %s", client->token);
        h1_write_field(&writer, VIEW("Authorization"), view_of(bearer));
    }
    if (request->body)
        h1_write_field(&writer, VIEW("Content-Type"), VIEW("application/json"));
    if (request->if_match)
        h1_write_field(&writer, VIEW("If-Match"), view_of(request->if_match));
    if (request->last_event_id)
        h1_write_field(&writer, VIEW("Last-Event-ID"), view_of(request->last_event_id));
    *text = h1_write_result(&writer);
    return !writer.is_full;
}

static int send_request(struct call *call, const struct ctl_client_request *request)
{
    struct ctl_client *client = call->client;
    const struct outbound_place where = {.address = client->address};
    struct stream_head head = {.method = request->method};
    struct view body = view_of(request->body);
    char memory[HEAD_BYTES];
    int result;

    if (!write_head(client, request, memory, &head.text))
        return error_set(&call->why, -E2BIG, "the request is too long");
    result = outbound_start(&client->pool, &where, CONNECT_MS, &events, call, &call->stream);
    if (result < 0)
        return error_set(&call->why, result, "cannot reach %s: %s", client->host,
                         strerror(-result));
    if (request->body)
        head.body = (struct body_framing){FRAMING_LENGTH, body.size};
    stream_send_head(call->stream, &head);
    if (body.size)
        stream_send_body(call->stream, body);
    stream_send_end(call->stream, (struct view){NULL, 0});
    sock_group_settle(&client->socks);
    return 0;
}

static int run(struct call *call, const struct ctl_client_request *request, struct error *why)
{
    struct ctl_client *client = call->client;

    buffer_init(&call->answer->body, CTL_CLIENT_ANSWER_BYTES_MAX);
    call->answer->status = 0;
    wait_anew(call);
    call->result = send_request(call, request);
    while (call->result == 0 && call->stream) {
        loop_turn(&client->loop, TURN_US);
        if (!call->stream || clock_now_us() < call->deadline_us)
            continue;
        break_off(call);
        fail(call, -ETIMEDOUT, "nothing comes");
    }
    /* What ended in the last turn goes. */
    loop_turn(&client->loop, 0);
    if (call->result < 0 && why)
        *why = call->why;
    return call->result;
}

int ctl_client_ask(struct ctl_client *client, const struct ctl_client_request *request,
                   struct ctl_client_answer *answer, struct error *why)
{
    struct call call = {.client = client, .answer = answer, .patience_ms = ANSWER_MS};

    return run(&call, request, why);
}

int ctl_client_follow(struct ctl_client *client, const struct ctl_client_request *request,
                      ctl_client_fn on_bytes, void *owner, struct ctl_client_answer *answer,
                      struct error *why)
{
    struct call call = {.client = client,
                        .answer = answer,
                        .on_bytes = on_bytes,
                        .owner = owner,
                        .patience_ms = SILENCE_MS};

    return run(&call, request, why);
}
