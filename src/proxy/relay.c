#include "proxy/relay.h"

#include <assert.h>

#include "base/clock.h"
#include "http/h1_write.h"
#include "proxy/forward.h"

void relay_interim(struct exchange *x)
{
    const struct head *head = x->news.interim;
    size_t bytes = forward_answer_bytes(head);
    char *text = sock_text(x->proxy->socks, bytes);
    const struct forward_answer nothing = {.replica = {NULL, 0}};
    struct h1_writer writer;

    h1_write_init(&writer, text, bytes);
    forward_answer_head(&writer, head, &nothing);
    sock_text_trim(x->proxy->socks, (size_t)(writer.end - writer.at));
    stream_send_interim(x->client, h1_write_result(&writer));
}

void relay_head(struct exchange *x, const struct head *head)
{
    const struct table_service *service = exchange_service(x);
    bool exposes = service && service->rules.exposes_replica;
    struct forward_answer given = {.replica = {NULL, 0}};
    size_t bytes = forward_answer_bytes(head) + (exposes ? x->request_id.size : 0);
    char *text = sock_text(x->proxy->socks, bytes);
    struct stream_head out = {.body = head->body, .status = head->status};
    struct h1_writer writer;

    if (exposes)
        given = (struct forward_answer){.replica = view_of(x->replica),
                                        .request_id = x->request_id,
                                        .is_held = x->held_us > 0,
                                        .held_ms = x->held_us / CLOCK_US_PER_MS};
    h1_write_init(&writer, text, bytes);
    forward_answer_head(&writer, head, &given);
    assert(!writer.is_full);
    sock_text_trim(x->proxy->socks, (size_t)(writer.end - writer.at));
    out.text = h1_write_result(&writer);
    stream_send_head(x->client, &out);
    x->has_answer_head = true;
    x->is_tunnel = head->body.kind == FRAMING_TUNNEL;
    /* The request's own end is behind us: from here on it is the tunnel's. */
    if (x->is_tunnel)
        x->is_request_whole = false;
}

void relay_end(struct exchange *x)
{
    size_t bytes = forward_trailers_bytes(x->news.trailers, x->news.trailer_count);
    struct view trailers = {NULL, 0};

    if (bytes) {
        struct h1_writer writer;
        char *text = sock_text(x->proxy->socks, bytes);

        h1_write_init(&writer, text, bytes);
        forward_trailers(&writer, x->news.trailers, x->news.trailer_count);
        trailers = h1_write_result(&writer);
    }
    stream_send_end(x->client, trailers);
}
