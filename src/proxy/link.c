#include "proxy/link.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/descriptor.h"

/* Most messages taken at one event, so that a talkative peer does not hold up the loop. */
#define MESSAGES_PER_TURN 64

int link_pair(int ends[2], struct error *why)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set(why, -errno, "socketpair for a link: %s", strerror(errno));
    return 0;
}

static void close_later(struct link *link)
{
    loop_make_ready(link->loop, &link->ready);
}

static void on_ready(struct ready *ready)
{
    struct link *link = CONTAINER_OF(ready, struct link, ready);

    if (link->is_closed)
        return;
    link_stop(link);
    link->on_closed(link);
}

/* The descriptor that came with the message, or -1; what came besides is closed. */
static int take_descriptor(struct msghdr *header)
{
    int result = -1;

    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control;
         control = CMSG_NXTHDR(header, control)) {
        size_t count;

        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(fd));
            if (result < 0)
                result = fd;
            else
                close(fd);
        }
    }
    return result;
}

/* 1: a message; 0: none now; negative: the link has ended. */
static int receive(struct link *link, struct link_message *message, int *fd)
{
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec piece = {message, sizeof(*message)};
    struct msghdr header = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    ssize_t size;

    do
        size = recvmsg(link->watch.fd, &header, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return errno == EAGAIN ? 0 : -errno;
    *fd = take_descriptor(&header);
    if (size == sizeof(*message) && message->version == LINK_VERSION &&
        !(header.msg_flags & MSG_TRUNC))
        return 1;
    descriptor_close(fd);
    return size == 0 ? -EPIPE : -EBADMSG;
}

static void on_link_events(struct watch *watch, uint32_t events)
{
    struct link *link = CONTAINER_OF(watch, struct link, watch);

    (void)events;
    for (int i = 0; i < MESSAGES_PER_TURN && !link->is_closed; i++) {
        struct link_message message;
        int fd = -1;
        int result = receive(link, &message, &fd);

        if (result == 0)
            return;
        if (result < 0) {
            close_later(link);
            return;
        }
        link->on_message(link, &message, fd);
    }
}

int link_start(struct link *link, struct loop *loop, int fd, link_message_fn on_message,
               link_closed_fn on_closed, void *owner)
{
    *link = (struct link){
        .watch.fd = fd,
        .loop = loop,
        .on_message = on_message,
        .on_closed = on_closed,
        .owner = owner,
    };
    ready_init(&link->ready, on_ready);
    return loop_add(loop, &link->watch, EPOLLIN, on_link_events);
}

void link_stop(struct link *link)
{
    if (link->is_closed || !link->loop)
        return;
    link->is_closed = true;
    ready_cancel(&link->ready);
    loop_remove(link->loop, &link->watch);
    descriptor_close(&link->watch.fd);
}

int link_send(struct link *link, enum link_kind kind, uint64_t number, int fd)
{
    struct link_message message = {.version = LINK_VERSION, .kind = kind, .number = number};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {&message, sizeof(message)};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t size;

    if (link->is_closed)
        return -EPIPE;
    if (fd >= 0) {
        struct cmsghdr *rights;

        header.msg_control = control;
        header.msg_controllen = sizeof(control);
        rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
    }
    do
        size = sendmsg(link->watch.fd, &header, MSG_NOSIGNAL);
    while (size < 0 && errno == EINTR);
    if (size >= 0)
        return 0;
    if (errno == EAGAIN)
        return -EAGAIN;
    close_later(link);
    return -EPIPE;
}
