#include "net/sock.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "base/descriptor.h"
#include "base/memory.h"
#include "net/sock_life.h"
#include "net/sock_read.h"
#include "net/sock_write.h"

/* ---- what happens to one ---- */

static int take_error(const struct sock *sock)
{
    socklen_t size = sizeof(int);
    int error = 0;

    if (getsockopt(sock->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    return -error;
}

static void tell_drained(struct sock *sock)
{
    if (!sock->was_queued || buffer_size(&sock->queue) || sock->is_closed || sock->error)
        return;
    sock->was_queued = false;
    sock_write_fin(sock);
    if (sock->events->on_drained)
        sock->events->on_drained(sock);
}

/* The connection stands: what was queued goes out. */
static void establish(struct sock *sock)
{
    sock->is_connecting = false;
    if (sock->events->on_connected)
        sock->events->on_connected(sock);
    if (!sock->is_closed)
        sock_write_fin(sock);
}

/*
 * The connection is broken. An answer may lie before the error: where we are reading it is read
 * first, and reading then says what is wrong. Else it is told at once, unless bytes wait behind a
 * pause.
 */
static void meet_error(struct sock *sock)
{
    int error = 0;

    if (!sock->is_connecting && !sock->has_fin) {
        if (!sock->is_paused || sock_read_has_bytes(sock, &error))
            return;
    }
    sock_life_fail(sock, error ? error : take_error(sock));
}

static void on_sock_events(struct watch *watch, uint32_t events)
{
    struct sock *sock = CONTAINER_OF(watch, struct sock, watch);

    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        sock->is_hung_up = true;
    if (events & EPOLLERR)
        meet_error(sock);
    if (!sock->error && sock->is_connecting && (events & EPOLLOUT))
        establish(sock);
    if (!sock->error && (events & EPOLLOUT) && !sock->is_closed && buffer_size(&sock->queue)) {
        sock_write_queue(sock);
        tell_drained(sock);
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        sock->is_readable = true;
    if (!sock->error)
        sock_read_all(sock);
    sock->is_late = sock->ahead != 0;
}

static void on_sock_ready(struct ready *ready)
{
    struct sock *sock = CONTAINER_OF(ready, struct sock, ready);

    if (sock->is_closed)
        return;
    if (!sock->error) {
        sock_read_all(sock);
        return;
    }
    if (sock->is_reset_told)
        return;
    if (sock->is_write_broken)
        sock_read_rest(sock);
    if (sock->is_closed)
        return;
    sock->is_readable = false;
    sock->is_reset_told = true;
    sock->events->on_reset(sock, sock->error);
}

static void on_timer(struct timer *timer)
{
    struct sock *sock = CONTAINER_OF(timer, struct sock, timer);

    sock->events->on_deadline(sock);
}

/* ---- the group ---- */

void sock_group_init(struct sock_group *group, struct loop *loop, size_t queued_limit)
{
    *group = (struct sock_group){
        .loop = loop, .on_events = on_sock_events, .queued_limit = queued_limit};
    group->receive = memory_allocate(SOCK_RECEIVE_BYTES);
    group->text = memory_allocate(SOCK_TEXT_BYTES);
    inbox_init(&group->inbox);
    outbox_init(&group->outbox);
    list_init(&group->starved);
    loop->on_ahead = sock_read_on_ahead;
    loop->on_settle = sock_write_on_settle;
    loop->on_rest = sock_write_on_rest;
    loop->settle_owner = group;
}

void sock_group_finish(struct sock_group *group)
{
    group->loop->on_ahead = NULL;
    group->loop->on_settle = NULL;
    group->loop->on_rest = NULL;
    inbox_finish(&group->inbox);
    outbox_finish(&group->outbox);
    free(group->receive);
    free(group->text);
    group->receive = group->text = NULL;
}

void sock_group_settle(struct sock_group *group)
{
    sock_write_gathered(group);
}

/* ---- the beginning ---- */

static void init(struct sock *sock, struct sock_group *group, int fd,
                 const struct sock_events *events)
{
    *sock = (struct sock){
        .watch.fd = fd,
        .group = group,
        .events = events,
        .receive_max = SOCK_RECEIVE_BYTES,
    };
    ready_init(&sock->ready, on_sock_ready);
    timer_init(&sock->timer, on_timer);
    buffer_init(&sock->queue, SOCK_QUEUE_BYTES_MAX);
}

/* Before it connects: what is offered to the other side at first is not taken back. */
static void set_options(int fd, const struct address *address, uint32_t window_bytes)
{
    const int window = (int)window_bytes;
    const int on = 1;

    if (address->any.sa_family == AF_UNIX)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (window)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
}

int sock_connect(struct sock *sock, struct sock_group *group, const struct address *address,
                 uint32_t window_bytes, const struct sock_events *events)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -errno : 0;

    init(sock, group, fd, events);
    if (result < 0)
        goto fail;
    set_options(fd, address, window_bytes);
    result = connect(fd, &address->any, address->size) < 0 ? -errno : 0;
    if (result < 0 && result != -EINPROGRESS)
        goto fail;
    sock->is_connecting = true;
    result = sock_life_register(sock);
    if (result < 0)
        goto fail;
    return 0;
fail:
    descriptor_close(&sock->watch.fd);
    sock->is_closed = true;
    return result;
}

void sock_adopt(struct sock *sock, struct sock_group *group, int fd,
                const struct sock_events *events)
{
    init(sock, group, fd, events);
    sock->is_readable = true;
    sock->is_unwatched = true;
    sock_read_all(sock);
    if (!sock->is_closed && !sock->error && !sock->may_be_unwatched)
        sock_life_watch(sock);
}

void sock_watch(struct sock *sock)
{
    sock_life_watch(sock);
}

/* ---- while it lasts ---- */

void sock_set_deadline(struct sock *sock, uint64_t after_us)
{
    if (!sock->destroy && !sock->is_closed)
        loop_start_timer(sock->group->loop, &sock->timer, after_us);
}

void sock_pause(struct sock *sock)
{
    sock->is_paused = true;
}

void sock_resume(struct sock *sock)
{
    if (!sock->is_paused)
        return;
    sock->is_paused = false;
    if (sock->is_readable)
        loop_make_ready(sock->group->loop, &sock->ready);
}

bool sock_is_quiet(const struct sock *sock)
{
    return !sock->ahead && sock_read_peek(sock) == -EAGAIN;
}

void sock_flush(struct sock *sock)
{
    if (sock->group->gathering == sock)
        sock_write_gathered(sock->group);
    if (!sock->held)
        return;
    sock_write_held(sock);
    sock_write_fin(sock);
}

size_t sock_owed(const struct sock *sock)
{
    int unacknowledged = 0;

    if (ioctl(sock->watch.fd, SIOCOUTQ, &unacknowledged) < 0 || unacknowledged < 0)
        unacknowledged = 0;
    return buffer_size(&sock->queue) + (size_t)unacknowledged;
}

/* ---- the end; another one is in sock_close.c ---- */

void sock_shut(struct sock *sock)
{
    if (sock->wants_shut)
        return;
    sock->wants_shut = true;
    sock_write_fin(sock);
}

void sock_abort(struct sock *sock, sock_fn destroy)
{
    assert(!sock->destroy);
    /* Written in an earlier callback: it would have gone then. */
    sock_write_held(sock);
    sock_life_reset_at_close(sock);
    sock->destroy = destroy;
    sock_life_release(sock);
}
