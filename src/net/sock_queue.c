#include "net/sock_queue.h"

/* The queue had `before` bytes. Where there is room again, those who wait for it go on. */
static void count(struct sock *sock, size_t before)
{
    struct sock_group *group = sock->group;
    size_t now = buffer_size(&sock->queue);

    group->queued_bytes = group->queued_bytes + now - before;
    if (now == 0)
        buffer_finish(&sock->queue);
    if (now >= before || sock_group_is_full(group))
        return;
    while (!list_is_empty(&group->starved)) {
        struct ready *ready = LIST_FIRST(&group->starved, struct ready, list);

        list_remove(&ready->list);
        loop_make_ready(group->loop, ready);
    }
}

int sock_queue_add(struct sock *sock, struct view bytes)
{
    size_t before = buffer_size(&sock->queue);
    int result = buffer_append(&sock->queue, bytes);

    if (result < 0)
        return result;
    sock->was_queued = true;
    count(sock, before);
    return 0;
}

void sock_queue_take(struct sock *sock, size_t size)
{
    size_t before = buffer_size(&sock->queue);

    buffer_consume(&sock->queue, size);
    count(sock, before);
}

void sock_queue_drop(struct sock *sock)
{
    size_t before = buffer_size(&sock->queue);

    buffer_finish(&sock->queue);
    count(sock, before);
}
