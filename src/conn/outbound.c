#include "conn/outbound.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "conn/outbound_answer.h"
#include "conn/outbound_life.h"
#include "conn/outbound_request.h"

/* The beginning of a head that was cut, and what one receive may bring behind it. */
#define KEPT_BYTES_MAX (HEAD_BYTES_MAX + SOCK_RECEIVE_BYTES)

static struct outbound *from_sock(struct sock *sock)
{
    return CONTAINER_OF(sock, struct outbound, sock);
}

/* ---- what its timer and its sock tell ---- */

/* Has it not been connected to, where others were meanwhile? */
static bool is_worth_waiting(const struct outbound *outbound)
{
    return !outbound->is_doomed && !outbound->is_patient &&
           outbound_life_place(outbound)->alive_us > outbound->began_us &&
           outbound_life_now_us(outbound) <
               outbound->began_us + OUTBOUND_QUEUE_MS * CLOCK_US_PER_MS;
}

static void wait_for_queue(struct outbound *outbound)
{
    uint64_t until_us = outbound->began_us + OUTBOUND_QUEUE_MS * CLOCK_US_PER_MS;

    outbound->is_patient = true;
    loop_start_timer(outbound->pool->socks->loop, &outbound->timer,
                     until_us - outbound_life_now_us(outbound));
}

static void on_timer(struct timer *timer)
{
    struct outbound *outbound = CONTAINER_OF(timer, struct outbound, timer);

    if (outbound->state == OUTBOUND_IDLE) {
        outbound_life_close(outbound);
        return;
    }
    if (!outbound->is_connected && is_worth_waiting(outbound))
        wait_for_queue(outbound);
    else if (!outbound->is_connected)
        outbound_life_fail(outbound, STREAM_TIMED_OUT, "connecting took too long");
    else if (outbound->is_doomed)
        outbound_life_fail_early(outbound, "the replica is gone");
}

static void on_connected(struct sock *sock)
{
    struct outbound *outbound = from_sock(sock);
    const struct stream_events *events = outbound->stream.events;

    outbound->is_connected = true;
    outbound_life_note_alive(outbound);
    timer_stop(&outbound->timer);
    if (events && events->on_connected)
        events->on_connected(&outbound->stream);
}

static void on_drained(struct sock *sock)
{
    struct outbound *outbound = from_sock(sock);

    if (outbound->stream.events)
        outbound->stream.events->on_drained(&outbound->stream);
}

static void on_reset(struct sock *sock, int error)
{
    struct outbound *outbound = from_sock(sock);

    if (!outbound->is_connected) {
        outbound_life_fail(outbound, error == -ETIMEDOUT ? STREAM_TIMED_OUT : STREAM_REFUSED,
                           "the replica refused the connection");
        return;
    }
    outbound_life_fail_early(outbound, "the replica reset the connection");
}

static const struct sock_events sock_events_ = {
    .on_bytes = outbound_answer_on_bytes,
    .on_fin = outbound_answer_on_fin,
    .on_drained = on_drained,
    .on_connected = on_connected,
    .on_reset = on_reset,
};

/* ---- its beginning ---- */

static struct outbound *create(struct outbound_pool *pool, uint32_t place, uint32_t incarnation)
{
    struct outbound *outbound = pool_take(&pool->objects);

    if (!outbound)
        return NULL;
    memset(outbound, 0, sizeof(*outbound));
    outbound->pool = pool;
    outbound->place = place;
    outbound->incarnation = incarnation;
    outbound->stream.calls = &outbound_request_calls;
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
            outbound_life_close(outbound);
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
        outbound_life_close(LIST_FIRST(&pool->by_age, struct outbound, age));
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
        outbound->began_us = outbound_life_now_us(outbound);
        outbound_life_start_timer(outbound, connect_ms);
    }
    pool->busy_count++;
    list_append(&outbound_life_place(outbound)->busy, &outbound->list);
    outbound->state = OUTBOUND_HEAD;
    outbound->scanned = 0;
    outbound->held = 0;
    outbound->interims = 0;
    outbound->is_doomed = false;
    sock_limit_receive(&outbound->sock, 0);
    outbound->sent_before = sock_sent(&outbound->sock);
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
    outbound->state = OUTBOUND_HEAD;
    pool->busy_count++;
    list_append(&outbound_life_place(outbound)->busy, &outbound->list);
    outbound_life_keep(outbound);
    sock_adopt(&outbound->sock, pool->socks, fd, &sock_events_);
}

bool outbound_has_idle(const struct outbound_pool *pool, uint32_t place)
{
    return !list_is_empty(&pool->places[place].idle);
}

/* ---- where the replica is another one, or gone ---- */

void outbound_forget(struct outbound_pool *pool, uint32_t place, uint32_t incarnation)
{
    LIST_FOR_EACH (at, &pool->places[place].idle) {
        struct outbound *outbound = CONTAINER_OF(at, struct outbound, list);

        if (outbound->incarnation != incarnation)
            outbound_life_close(outbound);
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
            outbound_life_close(outbound);
    }
    LIST_FOR_EACH (at, &pool->places[place].busy) {
        struct outbound *outbound = CONTAINER_OF(at, struct outbound, list);

        if (outbound->incarnation != incarnation)
            continue;
        outbound->is_doomed = true;
        outbound->says_close = true;
        outbound_life_start_timer(outbound, outbound->is_connected ? OUTBOUND_LAST_WORDS_MS : 0);
    }
}

/* ---- the pool ---- */

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
        outbound_life_close(LIST_FIRST(&pool->by_age, struct outbound, age));
    assert(pool->busy_count == 0);
    /* The memory of what was just closed comes back at the end of the loop's turn. */
    loop_turn(pool->socks->loop, 0);
    pool_finish(&pool->objects);
    free(pool->places);
    pool->places = NULL;
}
