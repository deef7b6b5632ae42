#include "conn/outbound_life.h"

#include "base/clock.h"

void outbound_life_start_timer(struct outbound *outbound, uint32_t after_ms)
{
    loop_start_timer(outbound->pool->socks->loop, &outbound->timer, after_ms * CLOCK_US_PER_MS);
}

void outbound_life_update_pause(struct outbound *outbound)
{
    if (outbound->held)
        sock_pause(&outbound->sock);
    else
        sock_resume(&outbound->sock);
}

void outbound_life_forget_kept(struct outbound *outbound)
{
    if (!outbound->kept.data)
        return;
    sock_group_settle(outbound->pool->socks);
    buffer_finish(&outbound->kept);
}

void outbound_life_keep(struct outbound *outbound)
{
    struct outbound_pool *pool = outbound->pool;

    outbound->state = OUTBOUND_IDLE;
    outbound->is_processing = false;
    outbound->stream.events = NULL;
    pool->busy_count--;
    pool->idle_count++;
    list_remove(&outbound->list);
    list_prepend(&outbound_life_place(outbound)->idle, &outbound->list);
    list_append(&pool->by_age, &outbound->age);
    outbound_life_start_timer(outbound, pool->settings.idle_ms);
    if (pool->idle_count > pool->settings.idle_max)
        outbound_life_close(LIST_FIRST(&pool->by_age, struct outbound, age));
}

/* ---- the end ---- */

static void on_destroy(struct sock *sock)
{
    struct outbound *outbound = CONTAINER_OF(sock, struct outbound, sock);

    pool_give(&outbound->pool->objects, outbound);
}

static void retire(struct outbound *outbound)
{
    struct outbound_pool *pool = outbound->pool;

    if (outbound->state == OUTBOUND_IDLE)
        pool->idle_count--;
    else
        pool->busy_count--;
    outbound->state = OUTBOUND_CLOSED;
    outbound->stream.events = NULL;
    timer_stop(&outbound->timer);
    list_remove(&outbound->list);
    list_remove(&outbound->age);
    outbound_life_forget_kept(outbound);
    h1_chunk_finish(&outbound->chunks);
}

void outbound_life_close(struct outbound *outbound)
{
    retire(outbound);
    sock_close(&outbound->sock, false, on_destroy);
}

void outbound_life_abort(struct outbound *outbound)
{
    retire(outbound);
    sock_abort(&outbound->sock, on_destroy);
}

void outbound_life_fail(struct outbound *outbound, enum stream_failure failure, const char *why)
{
    const struct stream_events *events = outbound->stream.events;
    struct stream *stream = &outbound->stream;

    outbound_life_abort(outbound);
    if (events)
        events->on_reset(stream, failure, why);
}

void outbound_life_fail_early(struct outbound *outbound, const char *why)
{
    bool is_unanswered =
        outbound->state == OUTBOUND_HEAD && !buffer_size(&outbound->kept) && !outbound->interims;
    bool is_fair = is_unanswered || outbound->state == OUTBOUND_TUNNEL;

    outbound_life_fail(outbound, is_fair ? STREAM_CLOSED : STREAM_BAD, why);
}
