#include "proxy/answer.h"

#include <assert.h>
#include <stdio.h>

#include "base/escape.h"
#include "http/h1_write.h"

/* Room for what surrounds the sentence in an error's body. */
#define ERROR_FRAME_BYTES 256

#define JSON_FIELDS "Content-Type: application/json\r\n"
#define RETRY_FIELD "Retry-After: 1\r\n"
#define ALLOW_FIELD "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"

/* Room for a whole answer of ours: escaped texts, fields, framing. */
#define ANSWER_BYTES_MAX (2 * ANSWER_TEXT_BYTES_MAX * ESCAPE_GROWTH_MAX + 4 * ERROR_FRAME_BYTES)

static const char landing_text[] = "Load balancer is active.\n\n"
                                   "GET /rep    the replicas\n"
                                   "GET /stats  requests, shares and latencies\n";

static const char landing_html[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>roost</title>"
    "<p>Load balancer is active.</p><ul><li><a href=\"/rep\">/rep</a> the replicas</li>"
    "<li><a href=\"/stats\">/stats</a> requests, shares and latencies</li></ul>"
    "<p>The dashboard is on the control port, the port after this one unless "
    "configured.</p></html>\n";

static struct view fields_for(uint16_t status)
{
    if (status == 503 || status == 429)
        return VIEW(JSON_FIELDS RETRY_FIELD);
    if (status == 405)
        return VIEW(JSON_FIELDS ALLOW_FIELD);
    return VIEW(JSON_FIELDS);
}

static void put_escaped(struct h1_writer *writer, struct view text)
{
    writer->at +=
        escape_json(text, writer->at, (size_t)(writer->end - writer->at) - ERROR_FRAME_BYTES / 2);
}

void answer_write_error(struct sock_group *socks, enum table_compat compat, uint16_t status,
                        struct view sentence, struct view request_id, struct view *fields,
                        struct view *body)
{
    struct view said = view_first(sentence, ANSWER_TEXT_BYTES_MAX);
    struct view id = view_first(request_id, ANSWER_TEXT_BYTES_MAX);
    size_t capacity = (said.size + id.size) * ESCAPE_GROWTH_MAX + ERROR_FRAME_BYTES;
    char *text = sock_text(socks, capacity);
    struct h1_writer writer;

    assert(text);
    h1_write_init(&writer, text, capacity);
    h1_write_bytes(&writer, compat == TABLE_COMPAT_OFF ? VIEW("{\"error\":\"")
                                                       : VIEW("{\"message\":\"<Error> "));
    put_escaped(&writer, said);
    if (compat != TABLE_COMPAT_OFF) {
        h1_write_bytes(&writer, VIEW("\",\"status\":\"failure\"}"));
    } else {
        h1_write_bytes(&writer, VIEW("\",\"request_id\":\""));
        put_escaped(&writer, id);
        h1_write_bytes(&writer, VIEW("\"}"));
    }
    sock_text_trim(socks, (size_t)(writer.end - writer.at));
    *fields = fields_for(status);
    *body = h1_write_result(&writer);
}

void answer_send_error(struct sock_group *socks, struct stream *stream, enum table_compat compat,
                       uint16_t status, struct view sentence, struct view request_id)
{
    struct view fields;
    struct view body;

    /* The body is written first and sent last: nothing may take its room meanwhile. */
    sock_text_reserve(socks, ANSWER_BYTES_MAX);
    answer_write_error(socks, compat, status, sentence, request_id, &fields, &body);
    stream_answer(stream, socks, status, fields, body);
}

void answer_send_health(struct sock_group *socks, struct stream *stream, enum method method,
                        bool is_draining)
{
    if (method != METHOD_GET && method != METHOD_HEAD) {
        stream_answer(stream, socks, 405, VIEW("Allow: GET, HEAD\r\n"), (struct view){NULL, 0});
        return;
    }
    if (is_draining)
        stream_answer(stream, socks, 503, VIEW("Content-Type: text/plain\r\n" RETRY_FIELD),
                      VIEW("draining"));
    else
        stream_answer(stream, socks, 200, VIEW("Content-Type: text/plain\r\n"), VIEW("OK"));
}

void answer_send_options(struct sock_group *socks, struct stream *stream)
{
    stream_answer(stream, socks, 200, VIEW(ALLOW_FIELD), (struct view){NULL, 0});
}

void answer_send_landing(struct sock_group *socks, struct stream *stream, bool wants_html)
{
    if (wants_html)
        stream_answer(stream, socks, 200, VIEW("Content-Type: text/html; charset=utf-8\r\n"),
                      VIEW(landing_html));
    else
        stream_answer(stream, socks, 200, VIEW("Content-Type: text/plain\r\n"), VIEW(landing_text));
}
