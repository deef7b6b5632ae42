#include "experiment/experiment_call.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

#define HEAD_BYTES     2048
#define BODY_BYTES_MAX (16 * 1024 * 1024)
#define ANSWER_MS      60000 /* an /add may have to wait for slow replicas */
#define CONNECT_MS     1000

struct call {
    struct stream *stream; /* NULL: over */
    struct buffer body;
    unsigned status;
    const char *failure;
};

static void on_head(struct stream *stream, const struct head *head)
{
    ((struct call *)stream->holder)->status = head->status;
}

static void on_body(struct stream *stream, struct view bytes)
{
    struct call *call = stream->holder;

    if (buffer_append(&call->body, bytes) < 0)
        call->failure = "the answer is too long";
    stream_consumed(stream, bytes.size);
}

static void on_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    (void)trailers;
    (void)count;
    ((struct call *)stream->holder)->stream = NULL;
}

static void on_drained(struct stream *stream)
{
    (void)stream;
}

static void on_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    struct call *call = stream->holder;

    (void)failure;
    call->stream = NULL;
    call->failure = why;
}

static const struct stream_events events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_reset = on_reset,
};

static void send_call(struct call *call, const char *method, const char *path, const char *body)
{
    char text[HEAD_BYTES];
    int size = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path);
    struct stream_head head = {
        .text = {text, (size_t)size},
        .method = head_method(view_of(method)),
        .body = {.kind = body ? FRAMING_LENGTH : FRAMING_NONE, .length = body ? strlen(body) : 0},
    };

    stream_send_head(call->stream, &head);
    stream_send_body(call->stream, view_of(body));
    stream_send_end(call->stream, VIEW(""));
    /* The text is on our stack: it leaves before we do. */
    stream_sent(call->stream);
}

static int await(struct experiment_rig *rig, struct call *call, const char *path, struct error *why)
{
    uint64_t end_us = clock_now_us() + ANSWER_MS * CLOCK_US_PER_MS;

    while (call->stream) {
        uint64_t now_us = clock_now_us();

        if (rig->is_interrupted || now_us > end_us) {
            stream_reset(call->stream);
            return error_set(why, rig->is_interrupted ? -EINTR : -ETIMEDOUT, "%s: %s", path,
                             rig->is_interrupted ? "interrupted" : "no answer in time");
        }
        loop_turn(&rig->loop, end_us - now_us);
    }
    return call->failure ? error_set(why, -EIO, "%s: %s", path, call->failure) : 0;
}

static void fill_answer(struct call *call, uint64_t took_us, struct experiment_answer *answer)
{
    struct view body = buffer_view(&call->body);

    *answer = (struct experiment_answer){.status = call->status,
                                         .size = body.size,
                                         .took_us = took_us,
                                         .body = malloc(body.size + 1)};
    if (!answer->body)
        abort();
    if (body.size)
        memcpy(answer->body, body.data, body.size);
    answer->body[body.size] = '\0';
    answer->json = json_loadb(answer->body, body.size, 0, NULL);
}

int experiment_call(struct experiment_rig *rig, unsigned to, const char *method, const char *path,
                    const char *body, struct experiment_answer *answer, struct error *why)
{
    struct outbound_place where = {
        .place = to,
        .incarnation = (uint32_t)rig->keeper,
        .address = to == EXPERIMENT_CONTROL ? rig->control : rig->traffic,
        .is_checked = true,
    };
    struct call call = {0};
    uint64_t start_us = clock_now_us();
    int result;

    *answer = (struct experiment_answer){0};
    buffer_init(&call.body, BODY_BYTES_MAX);
    rig->loop.now_us = start_us;
    result = outbound_start(&rig->calls, &where, CONNECT_MS, &events, &call, &call.stream);
    if (result < 0)
        return error_set(why, result, "%s: %s", path, strerror(-result));
    send_call(&call, method, path, body);
    result = await(rig, &call, path, why);
    if (result == 0)
        fill_answer(&call, clock_now_us() - start_us, answer);
    buffer_finish(&call.body);
    return result;
}

void experiment_call_finish(struct experiment_answer *answer)
{
    json_decref(answer->json);
    free(answer->body);
    *answer = (struct experiment_answer){0};
}
