#include "net/sock_read.h"

#include <errno.h>
#include <sys/epoll.h>

#include "net/sock_life.h"
#include "net/sock_write.h"

/* ---- how much ---- */

/* How much the next receive may ask for; 0: wait until queues have emptied. */
static size_t receive_room(const struct sock *sock)
{
    const struct sock_group *group = sock->group;
    size_t room =
        group->queued_limit > group->queued_bytes ? group->queued_limit - group->queued_bytes : 0;
    size_t most = sock->receive_max;

    /* Who feeds somebody slow waits; all others go on, in small steps: one request of a quick
     * client must not wait for the slow ones. */
    if (sock_group_is_full(group))
        return most < SOCK_RECEIVE_BYTES ? 0 : SOCK_RECEIVE_SPARE_BYTES;
    if (group->queued_bytes > group->queued_limit / 2 && most > SOCK_RECEIVE_TIGHT_BYTES)
        most = SOCK_RECEIVE_TIGHT_BYTES;
    return most < room ? most : room;
}

static bool may_receive(const struct sock *sock)
{
    return !sock->is_paused && !sock->is_closed && !sock->error && !sock->has_fin;
}

/* ---- ahead ---- */

/* Bytes have come, probably few, and nothing stands before them. */
static bool is_received_ahead(const struct sock *sock, uint32_t events)
{
    return (events & ~(uint32_t)EPOLLOUT) == EPOLLIN && sock->gets_little && !sock->ahead &&
           !sock->is_connecting && may_receive(sock) && receive_room(sock) >= INBOX_BYTES;
}

/* What the events before have written leaves now: first all is received, then all is sent. */
void sock_read_on_ahead(void *owner, const struct epoll_event *events, int count)
{
    struct sock_group *group = owner;

    sock_write_all_held(group);
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;
        struct sock *sock = CONTAINER_OF(watch, struct sock, watch);

        if (watch->on_events != group->on_events || !is_received_ahead(sock, events[i].events))
            continue;
        sock->ahead = (uint8_t)inbox_receive(&group->inbox, watch->fd);
        group->receives += sock->ahead != 0;
    }
}

/* ---- one receive ---- */

/* The next bytes: those received ahead, or at most *room that the kernel has now. The size, 0 for
 * the end, or a negative errno; *room gets what was asked for. */
static ssize_t receive_next(struct sock *sock, size_t *room, char **bytes)
{
    struct sock_group *group = sock->group;
    ssize_t size;

    if (sock->ahead) {
        *room = INBOX_BYTES;
        *bytes = inbox_bytes(&group->inbox, sock->ahead);
        return inbox_size(&group->inbox, sock->ahead);
    }
    *bytes = group->receive;
    group->receives++;
    do
        size = recv(sock->watch.fd, *bytes, *room, 0);
    while (size < 0 && errno == EINTR);
    return size < 0 ? -errno : size;
}

static void deliver_fin(struct sock *sock)
{
    sock->has_fin = true;
    sock->is_readable = false;
    if (sock->events->on_fin)
        sock->events->on_fin(sock);
}

/* What a receive gave goes to the owner. False: there is nothing more to read now. */
static bool deliver(struct sock *sock, ssize_t size, size_t room, char *bytes)
{
    if (size < 0) {
        sock->is_readable = false;
        if (size != -EAGAIN)
            sock_life_fail(sock, (int)size);
        return false;
    }
    if (size == 0) {
        /* Behind a failed write an end is no clean one: on_reset follows. */
        if (!sock->error)
            deliver_fin(sock);
        return false;
    }
    sock->gets_little = size < INBOX_BYTES;
    /* A short read is the end for now, unless an event said that the end itself is waiting. */
    if ((size_t)size < room && !sock->is_hung_up && !sock->is_late)
        sock->is_readable = false;
    sock->events->on_bytes(sock, (struct view){bytes, (size_t)size});
    /* Pieces may lie in the receive buffer: they leave before it is used again. */
    sock_write_gathered(sock->group);
    return true;
}

/* One receive. False: there is nothing more to read now. */
static bool receive_once(struct sock *sock, size_t *received)
{
    size_t room = receive_room(sock);
    ssize_t size;
    char *bytes;
    bool goes_on;

    if (room == 0) {
        if (list_is_empty(&sock->ready.list))
            list_append(&sock->group->starved, &sock->ready.list);
        return false;
    }
    size = receive_next(sock, &room, &bytes);
    *received += size > 0 ? (size_t)size : 0;
    goes_on = deliver(sock, size, room, bytes);
    sock_life_forget_ahead(sock);
    return goes_on;
}

/* ---- all there is ---- */

void sock_read_all(struct sock *sock)
{
    size_t received = 0;

    while (sock->is_readable && may_receive(sock)) {
        if (received >= SOCK_TURN_BYTES) {
            loop_make_ready(sock->group->loop, &sock->ready);
            return;
        }
        if (!receive_once(sock, &received))
            return;
    }
}

void sock_read_rest(struct sock *sock)
{
    size_t received = 0;

    if (sock->is_connecting || sock->has_fin)
        return;
    sock->is_readable = sock->is_hung_up = true;
    while (sock->is_readable && !sock->is_paused && !sock->is_closed &&
           received < SOCK_TURN_BYTES) {
        if (!receive_once(sock, &received))
            return;
    }
}

/* ---- a look ---- */

ssize_t sock_read_peek(const struct sock *sock)
{
    char byte;
    ssize_t size = recv(sock->watch.fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

    return size < 0 ? -errno : size;
}

bool sock_read_has_bytes(const struct sock *sock, int *error)
{
    ssize_t size = sock->ahead ? inbox_size(&sock->group->inbox, sock->ahead) : 0;

    if (size <= 0)
        size = sock_read_peek(sock);
    *error = size < 0 && size != -EAGAIN ? (int)size : 0;
    return size > 0;
}
