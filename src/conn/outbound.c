#include "conn/outbound.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "conn/chunk_out.h"
#include "http/h1_write.h"

/* The beginning of a head that was cut, and what one receive may bring behind it. */
#define KEPT_BYTES_MAX (HEAD_BYTES_MAX + SOCK_RECEIVE_BYTES)

/* Room for the lines that frame a request. */
#define FRAME_BYTES_MAX 160

enum state {
    STATE_IDLE, /* in the pool */
    STATE_HEAD, /* a request was begun, its answer's head is not here yet */
    STATE_BODY,
    STATE_TUNNEL,
    STATE_CLOSED,
};

static const struct sock_events sock_events_;
static const struct stream_calls stream_calls_;

static struct outbound *from_sock(struct sock *sock)
{
    return CONTAINER_OF(sock, struct outbound, sock);
}

static struct outbound *from_stream(struct stream *stream)
{
    return CONTAINER_OF(stream, struct outbound, stream);
}

static struct outbound_list *place_of(struct outbound *outbound)
{
    return &outbound->pool->places[outbound->place];
}

/* ---- the end of a connection ---- */

static void on_destroy(struct sock *sock)
{
    struct outbound *outbound = from_sock(sock);

    pool_give(&outbound->pool->objects, outbound);
}

/* Out of the lists; what was kept may be among pieces about to be sent. */
static void retire(struct outbound *outbound)
{
    struct outbound_pool *pool = outbound->pool;

    if (outbound->state == STATE_IDLE)
        pool->idle_count--;
    else
        pool->busy_count--;
    outbound->state = STATE_CLOSED;
    outbound->stream.events = NULL;
    timer_stop(&outbound->timer);
    list_remove(&outbound->list);
    list_remove(&outbound->age);
    if (outbound->kept.data) {
        sock_group_settle(pool->socks);
        buffer_finish(&outbound->kept);
    }
    h1_chunk_finish(&outbound->chunks);
}

static void close_outbound(struct outbound *outbound)
{
    retire(outbound);
    sock_close(&outbound->sock, false, on_destroy);
}

/* For a connection whose other side may still be sending: it is told that nobody listens. */
static void abort_outbound(struct outbound *outbound)
{
    retire(outbound);
    sock_abort(&outbound->sock, on_destroy);
}

static void fail(struct outbound *outbound, enum stream_failure failure, const char *why)
{
    const struct stream_events *events = outbound->stream.events;
    struct stream *stream = &outbound->stream;

    abort_outbound(outbound);
    if (events)
        events->on_reset(stream, failure, why);
}

/* It ended before its time: a replica that had begun to answer broke the protocol. */
static enum stream_failure early_end(const struct outbound *outbound)
{
    bool is_unanswered =
        outbound->state == STATE_HEAD && !buffer_size(&outbound->kept) && !outbound->interims;

    return is_unanswered || outbound->state == STATE_TUNNEL ? STREAM_CLOSED : STREAM_BAD;
}

/* ---- the pool ---- */

static uint64_t now_of(const struct outbound *outbound)
{
    return outbound->pool->socks->loop->now_us;
}

static void start_timer(struct outbound *outbound, uint32_t after_ms)
{
    loop_start_timer(outbound->pool->socks->loop, &outbound->timer, after_ms * CLOCK_US_PER_MS);
}

/* Has it not been connected to, where others were meanwhile? */
static bool is_worth_waiting(const struct outbound *outbound)
{
    const struct outbound_list *place = &outbound->pool->places[outbound->place];

    return !outbound->is_doomed && !outbound->is_patient && place->alive_us > outbound->began_us &&
           now_of(outbound) < outbound->began_us + OUTBOUND_QUEUE_MS * CLOCK_US_PER_MS;
}

static void wait_for_queue(struct outbound *outbound)
{
    uint64_t until_us = outbound->began_us + OUTBOUND_QUEUE_MS * CLOCK_US_PER_MS;

    outbound->is_patient = true;
    loop_start_timer(outbound->pool->socks->loop, &outbound->timer, until_us - now_of(outbound));
}

static void on_timer(struct timer *timer)
{
    struct outbound *outbound = CONTAINER_OF(timer, struct outbound, timer);

    if (outbound->state == STATE_IDLE) {
        close_outbound(outbound);
        return;
    }
    if (!outbound->is_connected && is_worth_waiting(outbound))
        wait_for_queue(outbound);
    else if (!outbound->is_connected)
        fail(outbound, STREAM_TIMED_OUT, "connecting took too long");
    else if (outbound->is_doomed)
        fail(outbound, early_end(outbound), "the replica is gone");
}

static void keep(struct outbound *outbound)
{
    struct outbound_pool *pool = outbound->pool;

    outbound->state = STATE_IDLE;
    outbound->is_processing = false;
    outbound->stream.events = NULL;
    pool->busy_count--;
    pool->idle_count++;
    list_remove(&outbound->list);
    list_prepend(&place_of(outbound)->idle, &outbound->list);
    list_append(&pool->by_age, &outbound->age);
    start_timer(outbound, pool->settings.idle_ms);
    if (pool->idle_count > pool->settings.idle_max)
        close_outbound(LIST_FIRST(&pool->by_age, struct outbound, age));
}

static struct outbound *create(struct outbound_pool *pool, uint32_t place, uint32_t incarnation)
{
    struct outbound *outbound = pool_take(&pool->objects);

    if (!outbound)
        return NULL;
    memset(outbound, 0, sizeof(*outbound));
    outbound->pool = pool;
    outbound->place = place;
    outbound->incarnation = incarnation;
    outbound->stream.calls = &stream_calls_;
    buffer_init(&outbound->kept, KEPT_BYTES_MAX);
    h1_chunk_init(&outbound->chunks);
    timer_init(&outbound->timer, on_timer);
    list_init(&outbound->list);
    list_init(&outbound->age);
    return outbound;
}

static struct outbound *take_idle(struct outbound_pool *pool, const struct outbound_place *where)
{
    struct list *idle = &pool->places[where->place].idle;

    LIST_FOR_EACH (at, idle) {
        struct outbound *outbound = CONTAINER_OF(at, struct outbound, list);

        if (outbound->incarnation != where->incarnation)
            continue;
        if (where->is_checked && !sock_is_quiet(&outbound->sock)) {
            close_outbound(outbound);
            continue;
        }
        list_remove(&outbound->list);
        list_remove(&outbound->age);
        pool->idle_count--;
        outbound->is_reused = true;
        return outbound;
    }
    return NULL;
}

static int connect_new(struct outbound_pool *pool, const struct outbound_place *where,
                       struct outbound **result)
{
    struct outbound *outbound = create(pool, where->place, where->incarnation);
    uint32_t window_bytes = pool->busy_count < OUTBOUND_WIDE_MAX ? 0 : OUTBOUND_WINDOW_BYTES;
    int error;

    if (!outbound)
        return -EMFILE;
    error =
        sock_connect(&outbound->sock, pool->socks, &where->address, window_bytes, &sock_events_);
    /* Out of descriptors: idle connections hold some. */
    if ((error == -EMFILE || error == -ENFILE) && pool->idle_count) {
        close_outbound(LIST_FIRST(&pool->by_age, struct outbound, age));
        error = sock_connect(&outbound->sock, pool->socks, &where->address, window_bytes,
                             &sock_events_);
    }
    if (error < 0) {
        h1_chunk_finish(&outbound->chunks);
        pool_give(&pool->objects, outbound);
        return error;
    }
    *result = outbound;
    return 0;
}

int outbound_start(struct outbound_pool *pool, const struct outbound_place *where,
                   uint32_t connect_ms, const struct stream_events *events, void *holder,
                   struct stream **stream)
{
    struct outbound *outbound = where->is_fresh ? NULL : take_idle(pool, where);

    assert(where->place < OUTBOUND_PLACES_MAX);
    if (!outbound) {
        int result = connect_new(pool, where, &outbound);

        if (result < 0)
            return result;
        outbound->began_us = now_of(outbound);
        start_timer(outbound, connect_ms);
    }
    pool->busy_count++;
    list_append(&place_of(outbound)->busy, &outbound->list);
    outbound->state = STATE_HEAD;
    outbound->scanned = 0;
    outbound->held = 0;
    outbound->interims = 0;
    outbound->is_doomed = false;
    sock_limit_receive(&outbound->sock, 0);
    outbound->sent_before = outbound->sock.sent_bytes;
    outbound->is_request_done = false;
    outbound->says_close = false;
    stream_hold(&outbound->stream, events, holder);
    *stream = &outbound->stream;
    return 0;
}

void outbound_adopt(struct outbound_pool *pool, int fd, uint32_t place, uint32_t incarnation)
{
    struct outbound *outbound = create(pool, place, incarnation);

    assert(place < OUTBOUND_PLACES_MAX);
    if (!outbound) {
        close(fd);
        return;
    }
    outbound->is_connected = true;
    outbound->state = STATE_HEAD;
    pool->busy_count++;
    list_append(&place_of(outbound)->busy, &outbound->list);
    keep(outbound);
    sock_adopt(&outbound->sock, pool->socks, fd, &sock_events_);
}

bool outbound_has_idle(const struct outbound_pool *pool, uint32_t place)
{
    return !list_is_empty(&pool->places[place].idle);
}

void outbound_forget(struct outbound_pool *pool, uint32_t place, uint32_t incarnation)
{
    LIST_FOR_EACH (at, &pool->places[place].idle) {
        struct outbound *outbound = CONTAINER_OF(at, struct outbound, list);

        if (outbound->incarnation != incarnation)
            close_outbound(outbound);
    }
    LIST_FOR_EACH (at, &pool->places[place].busy) {
        struct outbound *outbound = CONTAINER_OF(at, struct outbound, list);

        if (outbound->incarnation != incarnation)
            outbound->says_close = true;
    }
}

void outbound_break(struct outbound_pool *pool, uint32_t place, uint32_t incarnation)
{
    LIST_FOR_EACH (at, &pool->places[place].idle) {
        struct outbound *outbound = CONTAINER_OF(at, struct outbound, list);

        if (outbound->incarnation == incarnation)
            close_outbound(outbound);
    }
    LIST_FOR_EACH (at, &pool->places[place].busy) {
        struct outbound *outbound = CONTAINER_OF(at, struct outbound, list);

        if (outbound->incarnation != incarnation)
            continue;
        outbound->is_doomed = true;
        outbound->says_close = true;
        start_timer(outbound, outbound->is_connected ? OUTBOUND_LAST_WORDS_MS : 0);
    }
}

void outbound_pool_init(struct outbound_pool *pool, struct sock_group *socks,
                        const struct outbound_settings *settings)
{
    *pool = (struct outbound_pool){.socks = socks, .settings = *settings};
    pool_init(&pool->objects, sizeof(struct outbound), SIZE_MAX);
    pool->places = memory_allocate(OUTBOUND_PLACES_MAX * sizeof(*pool->places));
    for (unsigned i = 0; i < OUTBOUND_PLACES_MAX; i++) {
        list_init(&pool->places[i].idle);
        list_init(&pool->places[i].busy);
    }
    list_init(&pool->by_age);
}

void outbound_pool_finish(struct outbound_pool *pool)
{
    while (!list_is_empty(&pool->by_age))
        close_outbound(LIST_FIRST(&pool->by_age, struct outbound, age));
    assert(pool->busy_count == 0);
    /* The memory of what was just closed comes back at the end of the loop's turn. */
    loop_turn(pool->socks->loop, 0);
    pool_finish(&pool->objects);
    free(pool->places);
    pool->places = NULL;
}

/* ---- taking answers ---- */

/* Whole on both sides and nothing left over: the next request may have it (RFC 9112 9.3). */
static void finish_answer(struct outbound *outbound, bool has_rest, const struct field *trailers,
                          unsigned count)
{
    const struct stream_events *events = outbound->stream.events;
    bool is_reusable = outbound->is_request_done && !outbound->says_close && !has_rest &&
                       !sock_queued(&outbound->sock) && !outbound->sock.has_fin &&
                       !outbound->sock.error;

    outbound->stream.events = NULL;
    events->on_end(&outbound->stream, trailers, count);
    if (outbound->state == STATE_CLOSED)
        return;
    if (is_reusable) {
        keep(outbound);
        return;
    }
    /* A replica that has not been sent everything may be waiting for it still. */
    if (outbound->is_request_done)
        close_outbound(outbound);
    else
        abort_outbound(outbound);
}

static void update_pause(struct outbound *outbound)
{
    if (outbound->held)
        sock_pause(&outbound->sock);
    else
        sock_resume(&outbound->sock);
}

static bool tell_body(struct outbound *outbound, struct view data)
{
    outbound->held += data.size;
    outbound->stream.events->on_body(&outbound->stream, data);
    if (outbound->state == STATE_CLOSED)
        return false;
    sock_limit_receive(&outbound->sock, outbound->held ? SOCK_RECEIVE_TIGHT_BYTES : 0);
    return true;
}

static size_t take_length(struct outbound *outbound, struct view bytes)
{
    struct view data =
        view_first(bytes, outbound->left < bytes.size ? (size_t)outbound->left : bytes.size);

    outbound->left -= data.size;
    if (tell_body(outbound, data) && outbound->left == 0)
        finish_answer(outbound, data.size < bytes.size, NULL, 0);
    return data.size;
}

static void end_chunked(struct outbound *outbound, bool has_rest)
{
    struct field *fields = outbound->pool->fields;
    int count = h1_chunk_trailers(&outbound->chunks, fields);

    if (count < 0) {
        fail(outbound, STREAM_BAD, "the trailer section of the answer is malformed");
        return;
    }
    finish_answer(outbound, has_rest, fields, (unsigned)count);
}

static size_t take_chunked(struct outbound *outbound, struct view bytes)
{
    struct view rest = bytes;

    for (;;) {
        struct view data;

        switch (h1_chunk_read(&outbound->chunks, &rest, &data)) {
        case H1_CHUNK_DATA:
            if (!tell_body(outbound, data))
                return bytes.size;
            break;
        case H1_CHUNK_MORE:
            return bytes.size;
        case H1_CHUNK_BAD:
            fail(outbound, STREAM_BAD, "the chunked body of the answer is malformed");
            return bytes.size;
        case H1_CHUNK_END:
            end_chunked(outbound, rest.size > 0);
            return bytes.size - rest.size;
        }
    }
}

static bool is_interim(const struct outbound *outbound, const struct head *head)
{
    return head->status < 200 && !(head->status == 101 && outbound->asks_upgrade);
}

static void tell_interim(struct outbound *outbound, const struct head *head)
{
    outbound->scanned = 0;
    if (head->status == 101) {
        fail(outbound, STREAM_BAD, "the replica switched protocols without being asked");
        return;
    }
    if (++outbound->interims > OUTBOUND_INTERIM_MAX) {
        fail(outbound, STREAM_BAD, "the replica sent too many interim answers");
        return;
    }
    if (outbound->stream.events->on_interim)
        outbound->stream.events->on_interim(&outbound->stream, head);
}

static void begin_answer(struct outbound *outbound, struct head *head)
{
    head->body = head_answer_framing(head, (enum method)outbound->method, outbound->asks_upgrade);
    outbound->answer_framing = (uint8_t)head->body.kind;
    outbound->left = head->body.kind == FRAMING_LENGTH ? head->body.length : 0;
    outbound->says_close |= head->says_close || head->body.kind == FRAMING_CLOSE;
    outbound->state = head->body.kind == FRAMING_TUNNEL ? STATE_TUNNEL : STATE_BODY;
    if (head->body.kind == FRAMING_CHUNKED) {
        h1_chunk_finish(&outbound->chunks);
        h1_chunk_init(&outbound->chunks);
    }
    /* The request's own end came before; from here on it is the tunnel's. */
    if (head->body.kind == FRAMING_TUNNEL)
        outbound->is_request_done = false;
    place_of(outbound)->alive_us = now_of(outbound);
    outbound->stream.events->on_head(&outbound->stream, head);
}

static size_t take_head(struct outbound *outbound, struct view bytes)
{
    struct outbound_pool *pool = outbound->pool;
    struct head head;
    struct h1_verdict verdict;

    head.fields = pool->fields;
    verdict = h1_parse_answer(bytes, &pool->settings.limits, &outbound->scanned, &head);
    if (verdict.result == H1_MORE)
        return 0;
    if (verdict.result == H1_BAD) {
        fail(outbound, STREAM_BAD, verdict.reason);
        return bytes.size;
    }
    if (is_interim(outbound, &head)) {
        tell_interim(outbound, &head);
        return verdict.size;
    }
    begin_answer(outbound, &head);
    if (outbound->state == STATE_BODY &&
        (head.body.kind == FRAMING_NONE || (head.body.kind == FRAMING_LENGTH && !outbound->left)))
        finish_answer(outbound, verdict.size < bytes.size, NULL, 0);
    return verdict.size;
}

static size_t take_body(struct outbound *outbound, struct view bytes)
{
    if (outbound->answer_framing == FRAMING_CHUNKED)
        return take_chunked(outbound, bytes);
    if (outbound->answer_framing == FRAMING_LENGTH)
        return take_length(outbound, bytes);
    tell_body(outbound, bytes);
    return bytes.size;
}

static size_t take_some(struct outbound *outbound, struct view bytes)
{
    switch (outbound->state) {
    case STATE_HEAD:
        return take_head(outbound, bytes);
    case STATE_BODY:
        return take_body(outbound, bytes);
    case STATE_TUNNEL:
        tell_body(outbound, bytes);
        return bytes.size;
    default:
        return 0;
    }
}

/* Says how much could be understood; the connection may have ended or gone back to the pool. */
static size_t take_all(struct outbound *outbound, struct view bytes)
{
    struct view rest = bytes;

    outbound->is_processing = true;
    while (rest.size) {
        size_t taken = take_some(outbound, rest);

        if (outbound->state == STATE_CLOSED || outbound->state == STATE_IDLE)
            return bytes.size;
        if (taken == 0)
            break;
        rest = view_after(rest, taken);
    }
    outbound->is_processing = false;
    return bytes.size - rest.size;
}

static void on_bytes(struct sock *sock, struct view bytes)
{
    struct outbound *outbound = from_sock(sock);
    size_t taken;

    /* Nobody asked: whatever it is, it is not an answer to the next request. */
    if (outbound->state == STATE_IDLE) {
        abort_outbound(outbound);
        return;
    }
    /* Before a byte of the request has left nothing can be its answer. */
    if (outbound->state == STATE_HEAD && sock_sent(sock) == outbound->sent_before) {
        fail(outbound, STREAM_CLOSED, "bytes came before the request was sent");
        return;
    }
    if (buffer_size(&outbound->kept) == 0) {
        taken = take_all(outbound, bytes);
        if (outbound->state == STATE_CLOSED || outbound->state == STATE_IDLE)
            return;
        bytes = view_after(bytes, taken);
        if (bytes.size && buffer_append(&outbound->kept, bytes) < 0)
            fail(outbound, STREAM_BAD, "the head of the answer is too large");
        else
            update_pause(outbound);
        return;
    }
    if (buffer_append(&outbound->kept, bytes) < 0) {
        fail(outbound, STREAM_BAD, "the head of the answer is too large");
        return;
    }
    taken = take_all(outbound, buffer_view(&outbound->kept));
    if (outbound->state == STATE_CLOSED)
        return;
    if (outbound->state == STATE_IDLE)
        taken = buffer_size(&outbound->kept);
    buffer_consume(&outbound->kept, taken);
    if (buffer_size(&outbound->kept) == 0) {
        sock_group_settle(outbound->pool->socks);
        buffer_finish(&outbound->kept);
    }
    if (outbound->state != STATE_IDLE)
        update_pause(outbound);
}

static void on_fin(struct sock *sock)
{
    struct outbound *outbound = from_sock(sock);

    switch (outbound->state) {
    case STATE_IDLE:
        close_outbound(outbound);
        return;
    case STATE_TUNNEL:
        outbound->is_answer_done = true;
        outbound->stream.events->on_end(&outbound->stream, NULL, 0);
        if (outbound->state == STATE_TUNNEL && outbound->is_request_done)
            close_outbound(outbound);
        return;
    case STATE_BODY:
        if (outbound->answer_framing == FRAMING_CLOSE) {
            finish_answer(outbound, false, NULL, 0);
            return;
        }
        fail(outbound, STREAM_BAD, "the replica closed before its answer was whole");
        return;
    default:
        fail(outbound, early_end(outbound), "the replica closed without an answer");
        return;
    }
}

static void on_drained(struct sock *sock)
{
    struct outbound *outbound = from_sock(sock);

    if (outbound->stream.events)
        outbound->stream.events->on_drained(&outbound->stream);
}

static void on_connected(struct sock *sock)
{
    struct outbound *outbound = from_sock(sock);

    const struct stream_events *events = outbound->stream.events;

    outbound->is_connected = true;
    place_of(outbound)->alive_us = now_of(outbound);
    timer_stop(&outbound->timer);
    if (events && events->on_connected)
        events->on_connected(&outbound->stream);
}

static void on_reset(struct sock *sock, int error)
{
    struct outbound *outbound = from_sock(sock);

    if (!outbound->is_connected) {
        fail(outbound, error == -ETIMEDOUT ? STREAM_TIMED_OUT : STREAM_REFUSED,
             "the replica refused the connection");
        return;
    }
    fail(outbound, early_end(outbound), "the replica reset the connection");
}

static const struct sock_events sock_events_ = {
    .on_bytes = on_bytes,
    .on_fin = on_fin,
    .on_drained = on_drained,
    .on_connected = on_connected,
    .on_reset = on_reset,
};

/* ---- giving requests ---- */

static void send_head(struct stream *stream, const struct stream_head *head)
{
    struct outbound *outbound = from_stream(stream);
    char *text = sock_text(outbound->pool->socks, FRAME_BYTES_MAX);
    struct h1_writer writer;

    outbound->method = (uint8_t)head->method;
    outbound->asks_upgrade = head->asks_upgrade;
    outbound->request_framing = (uint8_t)head->body.kind;
    sock_write(&outbound->sock, head->text);
    h1_write_init(&writer, text, FRAME_BYTES_MAX);
    h1_write_framing(&writer, head->body);
    if (head->asks_upgrade)
        h1_write_field(&writer, VIEW("Connection"), VIEW("Upgrade"));
    h1_write_end(&writer);
    sock_text_trim(outbound->pool->socks, (size_t)(writer.end - writer.at));
    sock_write(&outbound->sock, h1_write_result(&writer));
}

static void send_body(struct stream *stream, struct view bytes)
{
    struct outbound *outbound = from_stream(stream);

    if (!bytes.size)
        return;
    if (outbound->request_framing != FRAMING_CHUNKED || outbound->state == STATE_TUNNEL) {
        sock_write(&outbound->sock, bytes);
        return;
    }
    chunk_out_write(&outbound->sock, bytes);
}

static void send_end(struct stream *stream, struct view trailers)
{
    struct outbound *outbound = from_stream(stream);

    if (outbound->state == STATE_TUNNEL) {
        outbound->is_request_done = true;
        sock_shut(&outbound->sock);
        if (outbound->is_answer_done)
            close_outbound(outbound);
        return;
    }
    outbound->is_request_done = true;
    if (outbound->request_framing == FRAMING_CHUNKED)
        chunk_out_end(&outbound->sock, trailers);
}

static void consumed(struct stream *stream, size_t bytes)
{
    struct outbound *outbound = from_stream(stream);

    /* The answer may be complete and the connection somebody else's by now. */
    if (outbound->stream.events == NULL)
        return;
    assert(bytes <= outbound->held);
    outbound->held -= bytes;
    if (!outbound->is_processing)
        update_pause(outbound);
}

static size_t queued(struct stream *stream)
{
    return sock_queued_now(&from_stream(stream)->sock);
}

static uint64_t sent(struct stream *stream)
{
    struct outbound *outbound = from_stream(stream);

    return sock_sent_now(&outbound->sock) - outbound->sent_before;
}

static size_t owed(struct stream *stream)
{
    return sock_owed(&from_stream(stream)->sock);
}

static void reset(struct stream *stream)
{
    struct outbound *outbound = from_stream(stream);

    abort_outbound(outbound);
}

static const struct stream_calls stream_calls_ = {
    .send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .consumed = consumed,
    .queued = queued,
    .sent = sent,
    .owed = owed,
    .reset = reset,
};
