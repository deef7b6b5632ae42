#include "control/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/descriptor.h"
#include "base/escape.h"
#include "base/memory.h"

/* Descriptors that are never given to connections. */
#define DESCRIPTORS_RESERVED 256

#define HEADER_TIMEOUT_MS 10000
#define IDLE_TIMEOUT_MS   60000
#define HEAD_BYTES        (32 * 1024)
#define FIELDS_BYTES_MAX  2048
#define SENTENCE_BYTES    1024
#define REAL_DIGITS       9
#define CLOSING_TURNS_MAX 20
#define CLOSING_TURN_US   UINT64_C(10000)
#define LINK_FIELD        VIEW("X-Roost-Link")

/* A client that reads a long answer this slowly is let go. */
#define LONG_QUEUE_BYTES_MAX (256 * 1024)

static const struct stream_events request_events;

/* ---- the life of a request ---- */

static void destroy_request(struct garbage *garbage)
{
    struct api_request *request = CONTAINER_OF(garbage, struct api_request, garbage);

    buffer_finish(&request->body);
    buffer_finish(&request->fields);
    buffer_finish(&request->answer);
    free(request);
}

/* What was written of it leaves when the callback returns: the memory stays for that long. */
static void check_over(struct api_request *request)
{
    if (request->stream || request->holds || list_is_empty(&request->list))
        return;
    timer_stop(&request->delay);
    list_remove(&request->list);
    loop_dispose(request->api->control.inbounds.socks->loop, &request->garbage, destroy_request);
}

void api_hold(struct api_request *request)
{
    request->holds++;
}

void api_release(struct api_request *request)
{
    request->holds--;
    check_over(request);
}

/* ---- answers ---- */

void api_add_field(struct api_request *request, const char *name, const char *value)
{
    (void)!buffer_print(&request->fields, "%s: %s\r\n", name, value);
}

void api_answer(struct api_request *request, uint16_t status, const char *type, struct view body)
{
    struct stream *stream = request->stream;

    if (!stream)
        return;
    if (type)
        api_add_field(request, "Content-Type", type);
    if (buffer_append(&request->answer, body) < 0)
        status = 500;
    request->stream = NULL;
    inbound_answer(stream, status, buffer_view(&request->fields), buffer_view(&request->answer));
    check_over(request);
}

void api_answer_json(struct api_request *request, uint16_t status, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));

    api_answer(request, status, "application/json", view_of(text ? text : "{}"));
    free(text);
    json_decref(body);
}

void api_fail(struct api_request *request, uint16_t status, const char *format, ...)
{
    bool is_classic =
        request->is_traffic || (request->route && request->route->flags & API_CLASSIC);
    char sentence[SENTENCE_BYTES];
    char escaped[SENTENCE_BYTES * ESCAPE_GROWTH_MAX];
    struct buffer body;
    va_list values;

    va_start(values, format);
    vsnprintf(sentence, sizeof(sentence), format, values);
    va_end(values);
    /* It may quote what a client sent, which need not be text. */
    escaped[escape_json(view_of(sentence), escaped, sizeof(escaped) - 1)] = '\0';
    buffer_init(&body, sizeof(escaped) + SENTENCE_BYTES);
    (void)!buffer_print(&body,
                        is_classic ? "{\"message\":\"<Error> %s\",\"status\":\"failure\"}"
                                   : "{\"error\":\"%s\"}",
                        escaped);
    if (status == 503)
        api_add_field(request, "Retry-After", "1");
    if (status == 401)
        api_add_field(request, "WWW-Authenticate", "Bearer");
    api_answer(request, status, "application/json", buffer_view(&body));
    buffer_finish(&body);
}

bool api_begin_long(struct api_request *request, const char *type)
{
    struct stream_head head = {.status = 200, .body = {FRAMING_CHUNKED, 0}};

    if (!request->stream)
        return false;
    if (buffer_print(&request->answer, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%.*s", type,
                     VIEW_ARGUMENTS(buffer_view(&request->fields))) < 0)
        return false;
    request->is_long = true;
    head.text = buffer_view(&request->answer);
    stream_send_head(request->stream, &head);
    return true;
}

bool api_send(struct api_request *request, struct view bytes)
{
    if (!request->stream)
        return false;
    stream_send_body(request->stream, bytes);
    if (stream_queued(request->stream) <= LONG_QUEUE_BYTES_MAX)
        return true;
    api_cut(request);
    return false;
}

void api_cut(struct api_request *request)
{
    if (!request->stream)
        return;
    stream_reset(request->stream);
    request->stream = NULL;
    check_over(request);
}

void api_end_long(struct api_request *request)
{
    struct stream *stream = request->stream;

    if (!stream)
        return;
    request->stream = NULL;
    stream_send_end(stream, (struct view){NULL, 0});
    check_over(request);
}

/* ---- reading a request ---- */

json_t *api_read_json(struct api_request *request)
{
    struct view body = buffer_view(&request->body);
    json_error_t error;
    json_t *value;

    if (body.size == 0) {
        api_fail(request, 400, "The body is missing: a JSON object is expected");
        return NULL;
    }
    value = json_loadb(body.data, body.size, 0, &error);
    if (!value) {
        api_fail(request, 400, "The body is not JSON: %s at line %d, column %d", error.text,
                 error.line, error.column);
        return NULL;
    }
    if (json_is_object(value))
        return value;
    json_decref(value);
    api_fail(request, 400, "The body is not a JSON object");
    return NULL;
}

/* Percent-decodes (RFC 3986 2.1) into zero-ended `text`. False where it is malformed, holds a zero,
 * or does not fit. */
static bool decode(struct view from, bool plus_is_space, char *text, size_t capacity)
{
    size_t size = 0;

    for (size_t i = 0; i < from.size; i++) {
        char byte = from.data[i];

        if (byte == '%') {
            int high = i + 2 < from.size ? escape_hex_value(from.data[i + 1]) : -1;
            int low = i + 2 < from.size ? escape_hex_value(from.data[i + 2]) : -1;

            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            byte = (char)(high << 4 | low);
            i += 2;
        } else if (byte == '+' && plus_is_space) {
            byte = ' ';
        }
        if (size + 1 >= capacity)
            return false;
        text[size++] = byte;
    }
    text[size] = '\0';
    return true;
}

bool api_query(const struct api_request *request, const char *name, char *value, size_t capacity)
{
    struct view rest = view_of(request->query);

    while (rest.size) {
        struct view pair = view_first(rest, view_find(rest, '&'));
        size_t equals = view_find(pair, '=');

        rest = view_after(rest, pair.size + 1);
        if (view_equals(view_first(pair, equals), view_of(name)))
            return decode(view_after(pair, equals + 1), true, value, capacity);
    }
    return false;
}

/* Does `path` fit `pattern`? Fills in what stands at each "*". */
static bool path_fits(const char *pattern, struct view path, struct api_request *request)
{
    struct view wanted = view_of(pattern);

    request->part_count = 0;
    while (wanted.size && path.size) {
        struct view part = view_first(path, view_find(view_after(path, 1), '/') + 1);
        struct view want = view_first(wanted, view_find(view_after(wanted, 1), '/') + 1);

        path = view_after(path, part.size);
        wanted = view_after(wanted, want.size);
        if (!view_equals(want, VIEW("/*"))) {
            if (!view_equals(part, want))
                return false;
            continue;
        }
        if (part.size < 2 || request->part_count == API_PARTS_MAX ||
            !decode(view_after(part, 1), false, request->parts[request->part_count++],
                    API_PART_BYTES))
            return false;
    }
    return wanted.size == 0 && path.size == 0;
}

/* What `Allow` says of a route (RFC 9110 10.2.1): who answers GET answers HEAD. */
static const char *allowed_by(const struct api_route *route)
{
    return route->method == METHOD_GET ? "GET, HEAD" : head_method_text(route->method);
}

static bool method_fits(enum method wanted, enum method method)
{
    return wanted == method || (wanted == METHOD_GET && method == METHOD_HEAD);
}

/* The route, or NULL after 404 or 405. */
static const struct api_route *find_route(struct api_request *request, struct view path)
{
    char allow[128] = "";
    size_t size = 0;

    for (const struct api_route *route = request->api->routes; route->path; route++) {
        if (request->is_traffic && !(route->flags & API_CLASSIC))
            continue;
        if (!path_fits(route->path, path, request))
            continue;
        request->route = route;
        if (method_fits(route->method, request->method))
            return route;
        size += (size_t)snprintf(allow + size, sizeof(allow) - size, "%s%s", size ? ", " : "",
                                 allowed_by(route));
    }
    if (size == 0) {
        api_fail(request, 404, "'%s' endpoint does not exist", request->path);
        return NULL;
    }
    api_add_field(request, "Allow", allow);
    api_fail(request, 405, "'%s' allows only %s", request->path, allow);
    return NULL;
}

/* What the worker says of the client: "loopback=1; ip=127.0.0.1". */
static void read_link_field(struct api_request *request, const struct head *head,
                            struct security_question *question)
{
    const struct field *field = head_find_named(head, LINK_FIELD);
    struct view rest;

    if (!field)
        return;
    question->is_loopback_listener = view_starts_with(field->value, VIEW("loopback=1"));
    rest = view_after(field->value, view_find(field->value, ';') + 1);
    rest = view_trim(rest);
    if (view_starts_with(rest, VIEW("ip=")))
        (void)!view_to_text(view_after(rest, 3), request->client, sizeof(request->client));
}

static void on_delayed(struct timer *timer)
{
    struct api_request *request = CONTAINER_OF(timer, struct api_request, delay);

    api_fail(request, request->refused, "%s", request->refusal.text);
}

/* True where it may go on; otherwise it has been answered, or will be a while later. */
static bool is_allowed(struct api_request *request, const struct head *head)
{
    struct security_question question = {
        .head = head,
        .is_mutation = request->route->flags & API_MUTATION,
        .is_traffic = request->is_traffic,
    };
    struct loop *loop = request->api->control.inbounds.socks->loop;
    struct security *security = &request->api->security;
    uint64_t delay_us;

    if (request->route->flags & API_OPEN)
        return true;
    if (request->is_traffic)
        read_link_field(request, head, &question);
    request->refused = security_check(security, &question, &request->refusal);
    if (request->refused == 0)
        return true;
    delay_us = security_guess_delay_us(security, head, loop->now_us);
    if (delay_us)
        loop_start_timer(loop, &request->delay, delay_us);
    else
        on_delayed(&request->delay);
    return false;
}

/* ---- what the stream tells ---- */

static void too_large(struct api_request *request)
{
    api_fail(request, 413, "The body is larger than %d bytes", API_BODY_BYTES_MAX);
}

static void on_body(struct stream *stream, struct view bytes)
{
    struct api_request *request = stream->holder;

    if (buffer_append(&request->body, bytes) < 0) {
        too_large(request);
        return;
    }
    stream_consumed(stream, bytes.size);
}

static void on_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    struct api_request *request = stream->holder;

    (void)trailers;
    (void)count;
    if (!request->refused)
        request->route->handle(request);
}

static void on_drained(struct stream *stream)
{
    struct api_request *request = stream->holder;

    if (request->on_drained)
        request->on_drained(request);
}

static void on_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    struct api_request *request = stream->holder;

    (void)failure;
    (void)why;
    request->stream = NULL;
    if (request->on_gone)
        request->on_gone(request);
    check_over(request);
}

static const struct stream_events request_events = {
    .on_body = on_body,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_reset = on_reset,
};

/* ---- what the doors tell ---- */

static void copy_field(const struct head *head, struct view name, char *text, size_t capacity)
{
    const struct field *field = head_find_named(head, name);

    if (field)
        (void)!view_to_text(field->value, text, capacity);
}

static struct api_request *begin_request(struct inbound *inbound, struct stream *stream,
                                         const struct head *head)
{
    struct api_door *door = inbound->group->owner;
    struct api_request *request = memory_allocate(sizeof(*request));

    request->api = door->api;
    request->stream = stream;
    request->is_traffic = door->is_traffic;
    request->method = head->method;
    memcpy(request->client, inbound->client_ip, sizeof(request->client));
    timer_init(&request->delay, on_delayed);
    buffer_init(&request->body, API_BODY_BYTES_MAX);
    buffer_init(&request->fields, FIELDS_BYTES_MAX);
    buffer_init(&request->answer, API_ANSWER_BYTES_MAX);
    list_append(&door->api->requests, &request->list);
    stream_hold(stream, &request_events, request);
    return request;
}

static void on_request(struct inbound *inbound, struct stream *stream, const struct head *head)
{
    struct api_request *request = begin_request(inbound, stream, head);

    if (view_to_text(head->path, request->path, sizeof(request->path)) < 0 ||
        view_to_text(head->query, request->query, sizeof(request->query)) < 0) {
        api_fail(request, 414, "The request's target is too long");
        return;
    }
    request->route = find_route(request, head->path);
    if (!request->route || !is_allowed(request, head))
        return;
    copy_field(head, VIEW("If-Match"), request->if_match, sizeof(request->if_match));
    copy_field(head, VIEW("Last-Event-ID"), request->last_event_id, sizeof(request->last_event_id));
    if (head->body.kind == FRAMING_LENGTH && head->body.length > API_BODY_BYTES_MAX) {
        too_large(request);
        return;
    }
    if (head->expects_continue)
        stream_send_interim(stream, VIEW("HTTP/1.1 100 Continue\r\n"));
}

static void on_refused(struct inbound *inbound, uint16_t status, const char *reason,
                       struct view *fields, struct view *body)
{
    static char text[SENTENCE_BYTES]; /* sent before the callback returns */
    int size = snprintf(text, sizeof(text), "{\"error\":\"%s\"}", reason);

    (void)inbound;
    (void)status;
    *fields = VIEW("Content-Type: application/json\r\n");
    *body = (struct view){text, (size_t)size};
}

static const struct inbound_events door_events = {
    .on_request = on_request,
    .on_refused = on_refused,
};

/* Never so many that the replicas, their probes and the workers lack descriptors. */
static uint32_t connections_max(void)
{
    unsigned long descriptors = descriptor_raise_limit();
    unsigned long most = descriptors > DESCRIPTORS_RESERVED + 2 * API_CONNECTIONS_MIN
                             ? (descriptors - DESCRIPTORS_RESERVED) / 2
                             : API_CONNECTIONS_MIN;

    return most < API_CONNECTIONS_MAX ? (uint32_t)most : API_CONNECTIONS_MAX;
}

static void open_door(struct api *api, struct api_door *door, struct sock_group *socks,
                      bool is_traffic)
{
    struct inbound_settings settings = {
        .limits = {.head_bytes = is_traffic ? HEAD_BYTES_MAX : HEAD_BYTES,
                   .fields = HEAD_FIELDS_MAX},
        .body_bytes_max = UINT64_MAX,
        .header_timeout_ms = HEADER_TIMEOUT_MS,
        .idle_timeout_ms = IDLE_TIMEOUT_MS,
        .connections_max = connections_max(),
    };

    door->api = api;
    door->is_traffic = is_traffic;
    inbound_group_init(&door->inbounds, socks, &door_events, &settings, door);
}

void api_init(struct api *api, struct keeper *keeper, const struct api_route *routes,
              struct sock_group *socks, const struct security_rules *rules)
{
    api->keeper = keeper;
    api->routes = routes;
    security_init(&api->security, rules);
    list_init(&api->requests);
    open_door(api, &api->control, socks, false);
    open_door(api, &api->traffic, socks, true);
}

static void close_door(struct api_door *door, struct loop *loop)
{
    inbound_group_abort(&door->inbounds);
    /* What was closed before may still wait for the other side. */
    for (int i = 0; door->inbounds.count && i < CLOSING_TURNS_MAX; i++)
        loop_turn(loop, CLOSING_TURN_US);
    if (door->inbounds.count == 0)
        inbound_group_finish(&door->inbounds);
}

void api_finish(struct api *api)
{
    struct loop *loop = api->control.inbounds.socks->loop;

    loop_turn(loop, 0);
    close_door(&api->control, loop);
    close_door(&api->traffic, loop);
}

void api_accept(struct api *api, int fd, const struct address *client)
{
    inbound_open(&api->control.inbounds, fd, client, 0);
}

void api_accept_link(struct api *api, int fd)
{
    const struct address nobody = {.any.sa_family = AF_UNIX, .size = sizeof(sa_family_t)};

    inbound_open(&api->traffic.inbounds, fd, &nobody, 0);
}
