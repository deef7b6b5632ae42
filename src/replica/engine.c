#include "replica/engine.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "http/h1_write.h"

#define HEAD_BYTES         (16 * 1024) /* of an answer */
#define REQUEST_HEAD_BYTES (ENGINE_PATH_BYTES + 512)
#define CONNECT_MS         2000u

struct engine_call {
    struct list list;
    struct engine *engine;
    struct stream *stream; /* NULL: waits for the version */
    struct timer timer;
    struct garbage garbage;
    struct engine_request request; /* its texts are the call's */
    char *body;
    struct buffer received;
    int status;
    char path[ENGINE_PATH_BYTES];
    char head[REQUEST_HEAD_BYTES];
};

static const struct stream_events stream_events;

/* ---- the end of a call ---- */

static void free_call(struct garbage *garbage)
{
    struct engine_call *call = CONTAINER_OF(garbage, struct engine_call, garbage);

    buffer_finish(&call->received);
    free(call->body);
    free(call);
}

static void dispose(struct engine_call *call)
{
    struct engine *engine = call->engine;

    if (engine->asker == call)
        engine->asker = NULL;
    timer_stop(&call->timer);
    list_remove(&call->list);
    loop_dispose(engine->loop, &call->garbage, free_call);
}

void engine_cancel(struct engine_call *call)
{
    if (!call)
        return;
    if (call->stream)
        stream_reset(call->stream);
    call->stream = NULL;
    dispose(call);
}

static void finish(struct engine_call *call, const struct engine_answer *answer)
{
    struct engine_request request = call->request;

    call->stream = NULL;
    /* It may be another Engine when it can be reached again. */
    if (answer->status == -EHOSTDOWN)
        call->engine->version = 0;
    dispose(call);
    request.done(request.owner, answer);
}

static void fail(struct engine_call *call, int result, const char *format, const char *detail)
{
    char why[ERROR_TEXT_BYTES];
    int size = snprintf(why, sizeof(why), "the Docker Engine at %s ", call->engine->path);

    snprintf(why + size, sizeof(why) - (size_t)size, format, detail);
    finish(call, &(struct engine_answer){.status = result, .why = why});
}

static void on_timeout(struct timer *timer)
{
    struct engine_call *call = CONTAINER_OF(timer, struct engine_call, timer);
    char limit[32];

    if (call->stream)
        stream_reset(call->stream);
    call->stream = NULL;
    snprintf(limit, sizeof(limit), "%u ms", call->request.timeout_ms);
    fail(call, -ETIMEDOUT, "does not answer within %s", limit);
}

/* ---- what comes ---- */

static void on_head(struct stream *stream, const struct head *head)
{
    struct engine_call *call = stream->holder;

    call->status = head->status;
    if (!call->request.on_line || head->status != 200)
        return;
    timer_stop(&call->timer);
    call->request.on_line(call->request.owner, (struct view){NULL, 0});
}

/* False where the call was cancelled meanwhile. */
static bool tell_lines(struct engine_call *call)
{
    while (call->stream) {
        struct view held = buffer_view(&call->received);
        size_t size = view_find(held, '\n');

        if (size == held.size)
            return true;
        call->request.on_line(call->request.owner, view_first(held, size));
        if (call->stream)
            buffer_consume(&call->received, size + 1);
    }
    return false;
}

static void on_body(struct stream *stream, struct view bytes)
{
    struct engine_call *call = stream->holder;

    stream_consumed(stream, bytes.size);
    if (buffer_append(&call->received, bytes) < 0) {
        stream_reset(stream);
        fail(call, -EPROTO, "says too much%s", "");
        return;
    }
    if (call->request.on_line && call->status == 200)
        (void)tell_lines(call);
}

static void on_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    struct engine_call *call = stream->holder;

    (void)trailers;
    (void)count;
    if (call->request.on_line && call->status == 200) {
        fail(call, -EHOSTDOWN, "has closed its stream%s", "");
        return;
    }
    finish(call,
           &(struct engine_answer){.status = call->status, .body = buffer_view(&call->received)});
}

static void on_drained(struct stream *stream)
{
    (void)stream;
}

static void on_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    struct engine_call *call = stream->holder;

    fail(call, failure == STREAM_BAD || failure == STREAM_TOO_LARGE ? -EPROTO : -EHOSTDOWN,
         "cannot be reached: %s", why);
}

static const struct stream_events stream_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_reset = on_reset,
};

/* ---- what goes ---- */

static struct view write_head(struct engine_call *call)
{
    char target[ENGINE_PATH_BYTES + 16];
    struct h1_writer writer;

    if (call == call->engine->asker)
        snprintf(target, sizeof(target), "%s", call->path);
    else
        snprintf(target, sizeof(target), "/v1.%u%s", call->engine->version, call->path);
    h1_write_init(&writer, call->head, sizeof(call->head));
    h1_write_request_line(&writer, view_of(head_method_text(call->request.method)),
                          view_of(target));
    h1_write_field(&writer, VIEW("Host"), VIEW("docker"));
    h1_write_field(&writer, VIEW("User-Agent"), VIEW("roost-dockhand"));
    h1_write_field(&writer, VIEW("Connection"), VIEW("close"));
    if (call->body)
        h1_write_field(&writer, VIEW("Content-Type"), VIEW("application/json"));
    assert(!writer.is_full);
    return h1_write_result(&writer);
}

static void launch(struct engine_call *call)
{
    struct engine *engine = call->engine;
    struct outbound_place place = {.address = engine->address, .is_fresh = true};
    struct stream_head head = {.method = call->request.method};
    struct view body = view_of(call->body);
    int result =
        outbound_start(&engine->pool, &place, CONNECT_MS, &stream_events, call, &call->stream);

    list_remove(&call->list);
    list_append(&engine->calls, &call->list);
    if (result < 0) {
        fail(call, -EHOSTDOWN, "cannot be reached: %s", strerror(-result));
        return;
    }
    loop_start_timer(engine->loop, &call->timer, call->request.timeout_ms * CLOCK_US_PER_MS);
    head.text = write_head(call);
    if (call->request.method != METHOD_GET)
        head.body = (struct body_framing){FRAMING_LENGTH, body.size};
    stream_send_head(call->stream, &head);
    if (body.size)
        stream_send_body(call->stream, body);
    stream_send_end(call->stream, VIEW(""));
}

/* ---- the version ---- */

int engine_choose_version(unsigned least, unsigned most, struct error *why)
{
    unsigned chosen = most < ENGINE_VERSION_MOST ? most : ENGINE_VERSION_MOST;

    if (chosen < ENGINE_VERSION_LEAST)
        return error_set(why, -EPROTONOSUPPORT,
                         "speaks version 1.%u of its API; 1.%u or newer is needed", most,
                         ENGINE_VERSION_LEAST);
    /* One that has left all we know behind: what we use is so old that it will still be there. */
    return (int)(chosen < least ? least : chosen);
}

static int choose_of_answer(const struct engine_answer *answer, struct error *why)
{
    json_t *root =
        json_loadb(answer->body.data ? answer->body.data : "", answer->body.size, 0, NULL);
    const char *most = json_string_value(json_object_get(root, "ApiVersion"));
    const char *least = json_string_value(json_object_get(root, "MinAPIVersion"));
    unsigned most_minor = 0;
    unsigned least_minor = 0;
    int result;

    if (answer->status != 200 || !most || sscanf(most, "1.%3u", &most_minor) != 1)
        result = error_set(why, -EPROTO, "does not say which versions of its API it speaks");
    else
        result = engine_choose_version(
            least && sscanf(least, "1.%3u", &least_minor) == 1 ? least_minor : 0, most_minor, why);
    json_decref(root);
    return result;
}

static void on_version(void *owner, const struct engine_answer *answer)
{
    struct engine *engine = owner;
    struct error why = {""};
    int result = answer->status;
    struct list waiting;

    if (result >= 0)
        result = choose_of_answer(answer, &why);
    if (result > 0)
        engine->version = (unsigned)result;
    list_init(&waiting);
    list_take_all(&waiting, &engine->waiting);
    while (!list_is_empty(&waiting)) {
        struct engine_call *call = LIST_FIRST(&waiting, struct engine_call, list);

        if (result > 0)
            launch(call);
        else if (answer->status < 0)
            finish(call, answer);
        else
            fail(call, result, "%s", why.text);
    }
}

/* ---- calls ---- */

static struct engine_call *create_call(struct engine *engine, const struct engine_request *request)
{
    struct engine_call *call = memory_allocate(sizeof(*call));

    assert(strlen(request->path) < ENGINE_PATH_BYTES);
    call->engine = engine;
    call->request = *request;
    snprintf(call->path, sizeof(call->path), "%s", request->path);
    call->body = memory_copy_text(request->body);
    list_init(&call->list);
    timer_init(&call->timer, on_timeout);
    buffer_init(&call->received,
                request->on_line ? ENGINE_LINE_BYTES_MAX : ENGINE_ANSWER_BYTES_MAX);
    return call;
}

static void ask_version(struct engine *engine)
{
    const struct engine_request request = {
        .method = METHOD_GET,
        .path = "/version",
        .timeout_ms = ENGINE_VERSION_TIMEOUT_MS,
        .done = on_version,
        .owner = engine,
    };

    engine->asker = create_call(engine, &request);
    launch(engine->asker);
}

struct engine_call *engine_ask(struct engine *engine, const struct engine_request *request)
{
    struct engine_call *call = create_call(engine, request);

    list_append(&engine->waiting, &call->list);
    loop_make_ready(engine->loop, &engine->ready);
    return call;
}

/* What waits goes, or the version is asked for first. */
static void on_ready(struct ready *ready)
{
    struct engine *engine = CONTAINER_OF(ready, struct engine, ready);
    struct list waiting;

    if (list_is_empty(&engine->waiting) || engine->asker)
        return;
    if (!engine->version) {
        ask_version(engine);
        return;
    }
    list_init(&waiting);
    list_take_all(&waiting, &engine->waiting);
    while (!list_is_empty(&waiting))
        launch(LIST_FIRST(&waiting, struct engine_call, list));
}

int engine_escape(char *path, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    size_t before = strlen(path);
    size_t at = before;

    for (; *text; text++) {
        bool is_plain = strchr(plain, *text) != NULL;

        if (at + (is_plain ? 1 : 3) >= ENGINE_PATH_BYTES) {
            path[before] = '\0';
            return -ENAMETOOLONG;
        }
        if (is_plain)
            path[at++] = *text;
        else
            at += (size_t)sprintf(path + at, "%%%02X", (unsigned char)*text);
        path[at] = '\0';
    }
    return 0;
}

/* ---- birth and end ---- */

/* The path in it; NULL with a sentence where it has none. */
static const char *path_of_host(const char *host, struct error *why)
{
    static const char scheme[] = "unix://";
    const size_t size = sizeof(scheme) - 1;

    if (!host || !*host)
        return ENGINE_SOCKET;
    if (strncmp(host, scheme, size) != 0 || host[size] != '/') {
        error_set(why, -EINVAL,
                  "DOCKER_HOST is '%.200s': only a unix socket (unix:///PATH) will do", host);
        return NULL;
    }
    if (strlen(host + size) < sizeof(((struct engine *)0)->path))
        return host + size;
    error_set(why, -EINVAL, "DOCKER_HOST: the path '%.200s' is too long", host + size);
    return NULL;
}

int engine_check_host(const char *host, struct error *why)
{
    return path_of_host(host, why) ? 0 : -EINVAL;
}

int engine_init(struct engine *engine, struct sock_group *socks, const char *host,
                struct error *why)
{
    const struct outbound_settings settings = {
        .limits = {.head_bytes = HEAD_BYTES, .fields = HEAD_FIELDS_MAX},
        .idle_ms = 1,
        .idle_max = 0,
    };
    const char *path = path_of_host(host, why);

    if (!path)
        return -EINVAL;
    *engine = (struct engine){.loop = socks->loop};
    snprintf(engine->path, sizeof(engine->path), "%s", path);
    engine->address.un.sun_family = AF_UNIX;
    snprintf(engine->address.un.sun_path, sizeof(engine->address.un.sun_path), "%s", path);
    engine->address.size = (socklen_t)sizeof(engine->address.un);
    list_init(&engine->calls);
    list_init(&engine->waiting);
    ready_init(&engine->ready, on_ready);
    outbound_pool_init(&engine->pool, socks, &settings);
    return 0;
}

void engine_finish(struct engine *engine)
{
    LIST_FOR_EACH (at, &engine->waiting)
        engine_cancel(CONTAINER_OF(at, struct engine_call, list));
    LIST_FOR_EACH (at, &engine->calls)
        engine_cancel(CONTAINER_OF(at, struct engine_call, list));
    ready_cancel(&engine->ready);
    outbound_pool_finish(&engine->pool);
}
