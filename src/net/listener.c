#include "net/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"

static void set_options(int fd, const struct address *address, bool shares)
{
    const int on = 1;
    const int off = 0;
    const int unsent = LISTENER_UNSENT_BYTES;

    if (address->any.sa_family == AF_UNIX)
        return;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shares)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

/* A socket file of a process that is gone is in the way; one that answers, or a file of another
 * kind, is not ours to remove. Somebody who is too busy to accept answers EAGAIN. */
static void remove_stale_path(const struct address *address)
{
    struct stat status;
    int fd;

    if (lstat(address->un.sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, &address->any, address->size) < 0 && errno == ECONNREFUSED)
        unlink(address->un.sun_path);
    close(fd);
}

static int bind_address(int fd, const struct address *address)
{
    mode_t mask;
    int result;

    if (address->any.sa_family != AF_UNIX)
        return bind(fd, &address->any, address->size) < 0 ? -errno : 0;
    remove_stale_path(address);
    mask = umask(0177);
    result = bind(fd, &address->any, address->size) < 0 ? -errno : 0;
    umask(mask);
    return result;
}

int listener_open(struct address *address, bool shares, struct error *why)
{
    char text[ADDRESS_TEXT_BYTES];
    int result;
    int fd;

    address_to_text(address, text);
    fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(why, -errno, "cannot open a socket for %s: %s", text, strerror(errno));
    set_options(fd, address, shares);
    result = bind_address(fd, address);
    if (result < 0) {
        error_set(why, result, "cannot listen on %s: %s", text, strerror(-result));
        goto fail;
    }
    if (listen(fd, LISTENER_BACKLOG) < 0) {
        result = error_set(why, -errno, "cannot listen on %s: %s", text, strerror(errno));
        goto fail;
    }
    if (address->any.sa_family != AF_UNIX) {
        address->size = sizeof(address->in6);
        getsockname(fd, &address->any, &address->size);
    }
    return fd;
fail:
    descriptor_close(&fd);
    return result;
}

static void on_rested(struct timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, rest);

    /* Level-triggered: what waits is reported again. */
    (void)!loop_change(listener->loop, &listener->watch, EPOLLIN);
}

/*
 * How many to ask for. Asking in vain costs the kernel a socket made and thrown away: where the
 * last one came alone, one is enough, and where another waits after all it is reported in the next
 * turn (level-triggered), when all are asked for.
 */
static int most_now(struct listener *listener)
{
    bool was_just_here = listener->loop->turns - listener->turn <= 1;

    listener->turn = listener->loop->turns;
    return listener->came_alone && !was_just_here ? 1 : LISTENER_TURN_MAX;
}

static void on_listener_events(struct watch *watch, uint32_t events)
{
    struct listener *listener = CONTAINER_OF(watch, struct listener, watch);
    int most = most_now(listener);

    (void)events;
    for (int i = 0; i < most && watch->on_events; i++) {
        struct address client = {.size = sizeof(client.un)};
        int fd = accept4(watch->fd, &client.any, &client.size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            listener->came_alone = i == 0;
            listener->on_accept(listener, fd, &client);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN)
            return;
        /* Out of descriptors or memory: resting beats spinning. */
        (void)!loop_change(listener->loop, &listener->watch, 0);
        loop_start_timer(listener->loop, &listener->rest, LISTENER_REST_US);
        return;
    }
}

void listener_sweep(struct listener *listener)
{
    for (int i = 0; i < LISTENER_BACKLOG && listener->watch.on_events; i++) {
        struct address client = {.size = sizeof(client.un)};
        int fd =
            accept4(listener->watch.fd, &client.any, &client.size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            listener->on_accept(listener, fd, &client);
        else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

int listener_start(struct listener *listener, struct loop *loop, int fd, listener_fn on_accept,
                   void *owner)
{
    *listener =
        (struct listener){.watch.fd = fd, .loop = loop, .on_accept = on_accept, .owner = owner};
    timer_init(&listener->rest, on_rested);
    return loop_add(loop, &listener->watch, EPOLLIN, on_listener_events);
}

void listener_stop(struct listener *listener)
{
    if (!listener->watch.on_events)
        return;
    timer_stop(&listener->rest);
    loop_remove(listener->loop, &listener->watch);
}
