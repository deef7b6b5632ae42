#include "net/sock_life.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>

#include "base/descriptor.h"
#include "net/sock_queue.h"

int sock_life_register(struct sock *sock)
{
    return loop_add(sock->group->loop, &sock->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                    sock->group->on_events);
}

void sock_life_watch(struct sock *sock)
{
    int result;

    if (!sock->is_unwatched)
        return;
    sock->is_unwatched = false;
    result = sock_life_register(sock);
    if (result < 0)
        sock_life_fail(sock, result);
}

void sock_life_fail(struct sock *sock, int error)
{
    if (sock->error || sock->is_closed)
        return;
    sock->error = (int16_t)(error ? error : -EIO);
    list_remove(&sock->ready.list);
    loop_make_ready(sock->group->loop, &sock->ready);
}

void sock_life_reset_at_close(struct sock *sock)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (sock->watch.fd >= 0)
        setsockopt(sock->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void on_garbage(struct garbage *garbage)
{
    struct sock *sock = CONTAINER_OF(garbage, struct sock, garbage);

    sock->destroy(sock);
}

void sock_life_release(struct sock *sock)
{
    struct sock_group *group = sock->group;

    if (group->gathering == sock) {
        group->gathering = NULL;
        group->piece_count = 0;
    }
    assert(!sock->held);
    sock_life_forget_ahead(sock);
    sock->is_closed = true;
    timer_stop(&sock->timer);
    ready_cancel(&sock->ready);
    loop_forget(group->loop, &sock->watch);
    descriptor_close(&sock->watch.fd);
    sock_queue_drop(sock);
    loop_dispose(group->loop, &sock->garbage, on_garbage);
}
