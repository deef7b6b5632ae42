#include "proxy/body.h"

#include "http/h1_write.h"
#include "proxy/forward.h"

/* A piece this big is sent before it is copied: mostly that spares the copy. */
#define SEND_FIRST_BYTES 4096

static void stop_holding(struct exchange *x)
{
    x->holds_body = false;
    if (!x->held.data)
        return;
    sock_group_settle(x->proxy->socks);
    body_finish_held(x);
}

void body_finish_held(struct exchange *x)
{
    sock_group_count_kept(x->proxy->socks, x->held.capacity, 0);
    buffer_finish(&x->held);
}

void body_limit_held(struct exchange *x, size_t bytes)
{
    x->held.limit = (uint32_t)(bytes + SOCK_RECEIVE_BYTES);
}

/* Once some of it has left only the idempotent can be sent again, and of those what is short
 * enough. */
static bool is_worth_holding(struct exchange *x, size_t piece)
{
    size_t most = x->held.limit - SOCK_RECEIVE_BYTES;
    bool is_short = buffer_size(&x->held) + piece <= most;

    if (x->has_answer_head)
        return false;
    /* Asking the kernel ends what is gathered: not for small pieces. */
    if (!x->outbound || (is_short && (piece < SEND_FIRST_BYTES || head_is_idempotent(x->method))))
        return true;
    if (stream_sent(x->outbound) == 0)
        return true;
    x->was_sent = true;
    return is_short && head_is_idempotent(x->method);
}

/* False where it is too much, or memory is short and the outbound has it all. */
static bool can_hold(struct exchange *x, struct view bytes)
{
    struct sock_group *socks = x->proxy->socks;
    size_t before = x->held.capacity;
    int result;

    if (x->outbound && !sock_group_may_keep(socks))
        return false;
    result = buffer_append(&x->held, bytes);
    sock_group_count_kept(socks, before, x->held.capacity);
    return result == 0;
}

static void hold(struct exchange *x, struct view bytes)
{
    if (!is_worth_holding(x, bytes.size) || !can_hold(x, bytes))
        stop_holding(x);
}

/* Small pieces are trusted to leave, if all before them has (then the credit is for them alone);
 * now and then the kernel is asked. */
static bool may_give_credit(struct stream *to, size_t *trusted, size_t bytes, size_t credit)
{
    *trusted += bytes;
    if (*trusted < EXCHANGE_TRUST_BYTES && credit == bytes)
        return true;
    *trusted = 0;
    return stream_queued(to) == 0;
}

void body_take_request(struct exchange *x, struct view bytes)
{
    x->bytes_in += bytes.size;
    x->request_credit += bytes.size;
    if (x->outbound)
        stream_send_body(x->outbound, bytes);
    if (x->holds_body)
        hold(x, bytes);
    if (x->step == EXCHANGE_READ ||
        (x->outbound &&
         may_give_credit(x->outbound, &x->request_trusted, bytes.size, x->request_credit)))
        body_give_request_credit(x);
}

void body_end_request(struct exchange *x, const struct field *trailers, unsigned count)
{
    size_t bytes = forward_trailers_bytes(trailers, count);
    char *room = bytes ? buffer_reserve(&x->request_trailers, bytes) : NULL;

    if (room) {
        struct h1_writer writer;

        h1_write_init(&writer, room, bytes);
        forward_trailers(&writer, trailers, count);
        buffer_commit(&x->request_trailers, h1_write_result(&writer).size);
    }
    if (x->outbound)
        stream_send_end(x->outbound, buffer_view(&x->request_trailers));
}

void body_send_held(struct exchange *x)
{
    stream_send_body(x->outbound, buffer_view(&x->held));
    /* What is held may be moved when more is added to it: it leaves before that. */
    if (buffer_size(&x->held) && stream_queued(x->outbound) == 0)
        body_give_request_credit(x);
}

void body_release_held(struct exchange *x)
{
    x->holds_body = false;
    if (x->held.data)
        stop_holding(x);
}

bool body_pass_answer(struct exchange *x)
{
    struct view bytes = x->news.body;

    x->news.body = (struct view){NULL, 0};
    x->bytes_out += x->is_discarding ? 0 : bytes.size;
    x->answer_credit += bytes.size;
    if (x->is_discarding) {
        x->answer_trusted += bytes.size;
        body_give_answer_credit(x);
        return x->answer_trusted <= EXCHANGE_DISCARD_BYTES;
    }
    stream_send_body(x->client, bytes);
    if (may_give_credit(x->client, &x->answer_trusted, bytes.size, x->answer_credit))
        body_give_answer_credit(x);
    return true;
}

static void give(struct stream *from, size_t *credit)
{
    size_t bytes = *credit;

    *credit = 0;
    if (from && bytes)
        stream_consumed(from, bytes);
}

void body_give_request_credit(struct exchange *x)
{
    give(x->client, &x->request_credit);
}

void body_give_answer_credit(struct exchange *x)
{
    give(x->outbound, &x->answer_credit);
}
