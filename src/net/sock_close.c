#include <assert.h>

#include "net/sock_life.h"

/*
 * The last time of a sock that its owner has closed: what is queued goes out, what still comes is
 * thrown away, until the other side has closed too or the limits of sock_close() are reached. While
 * it lingers a sock is its own owner.
 */

static void on_linger_bytes(struct sock *sock, struct view bytes)
{
    if (!sock->is_shut)
        return;
    sock->linger_bytes += (uint32_t)bytes.size;
    if (sock->linger_bytes > SOCK_LINGER_BYTES)
        sock_life_release(sock);
}

static void on_linger_fin(struct sock *sock)
{
    if (buffer_size(&sock->queue) == 0)
        sock_life_release(sock);
}

static void on_linger_drained(struct sock *sock)
{
    if (sock->has_fin)
        sock_life_release(sock);
    else
        loop_start_timer(sock->group->loop, &sock->timer, SOCK_LINGER_US);
}

static void on_linger_reset(struct sock *sock, int error)
{
    (void)error;
    sock_life_reset_at_close(sock);
    sock_life_release(sock);
}

static void on_linger_expiry(struct sock *sock)
{
    size_t before = sock->linger_owed;

    if (!buffer_size(&sock->queue)) {
        sock_life_release(sock);
        return;
    }
    sock->linger_owed = (uint32_t)sock_owed(sock);
    if (sock->linger_owed < before && ++sock->linger_rounds < SOCK_LINGER_ROUNDS) {
        loop_start_timer(sock->group->loop, &sock->timer, SOCK_LINGER_US);
        return;
    }
    sock_life_reset_at_close(sock);
    sock_life_release(sock);
}

static const struct sock_events linger_events = {
    .on_bytes = on_linger_bytes,
    .on_fin = on_linger_fin,
    .on_drained = on_linger_drained,
    .on_reset = on_linger_reset,
    .on_deadline = on_linger_expiry,
};

/* From now on it ends by itself. */
static void begin_lingering(struct sock *sock)
{
    sock->events = &linger_events;
    sock->linger_owed = (uint32_t)sock_owed(sock);
    loop_start_timer(sock->group->loop, &sock->timer, SOCK_LINGER_US);
}

void sock_close(struct sock *sock, bool lingers, sock_fn destroy)
{
    assert(!sock->destroy);
    sock->destroy = destroy;
    sock_shut(sock);
    sock_flush(sock);
    /* Bytes of ours were lost: no FIN may say that this was all. */
    if (sock->error)
        sock_life_reset_at_close(sock);
    if (sock->is_closed || sock->error || (!lingers && !buffer_size(&sock->queue)) ||
        (sock->has_fin && !buffer_size(&sock->queue))) {
        sock_life_release(sock);
        return;
    }
    sock_watch(sock);
    begin_lingering(sock);
    sock_resume(sock);
}
