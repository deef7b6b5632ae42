#include "net/linger.h"

static void on_linger_bytes(struct sock *sock, struct view bytes)
{
    if (!sock->is_shut)
        return;
    sock->linger_bytes += (uint32_t)bytes.size;
    if (sock->linger_bytes > SOCK_LINGER_BYTES)
        sock_release(sock);
}

static void on_linger_fin(struct sock *sock)
{
    if (buffer_size(&sock->queue) == 0)
        sock_release(sock);
}

static void on_linger_drained(struct sock *sock)
{
    if (sock->has_fin)
        sock_release(sock);
    else
        loop_start_timer(sock->group->loop, &sock->timer, SOCK_LINGER_US);
}

static void on_linger_reset(struct sock *sock, int error)
{
    (void)error;
    sock_reset_at_close(sock);
    sock_release(sock);
}

static void on_linger_expiry(struct sock *sock)
{
    size_t before = sock->linger_owed;

    if (!buffer_size(&sock->queue)) {
        sock_release(sock);
        return;
    }
    sock->linger_owed = (uint32_t)sock_owed(sock);
    if (sock->linger_owed < before && ++sock->linger_rounds < SOCK_LINGER_ROUNDS) {
        loop_start_timer(sock->group->loop, &sock->timer, SOCK_LINGER_US);
        return;
    }
    sock_reset_at_close(sock);
    sock_release(sock);
}

static const struct sock_events linger_events = {
    .on_bytes = on_linger_bytes,
    .on_fin = on_linger_fin,
    .on_drained = on_linger_drained,
    .on_reset = on_linger_reset,
    .on_deadline = on_linger_expiry,
};

void linger_begin(struct sock *sock)
{
    sock->events = &linger_events;
    sock->linger_owed = (uint32_t)sock_owed(sock);
    loop_start_timer(sock->group->loop, &sock->timer, SOCK_LINGER_US);
}
