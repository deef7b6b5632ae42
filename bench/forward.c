/*
 * The floor: a proxy that does nothing but forward. Bytes go across as they are, unread; those that
 * a client sends after an answer go to the next replica in turn, by a connection that nobody uses.
 * What a balancer costs more than this is the price of what it understands; where it costs less it
 * keeps what this throws away.
 *
 * usage: forward PORT FIRST_REPLICA_PORT REPLICAS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX    256
#define RECEIVE_BYTES (256 * 1024)
#define BACKLOG       4096

struct side {
    struct side *other; /* NULL: joined to none */
    struct side *next;  /* to be freed, or waiting */
    int fd;
    int replica; /* whose connection it is */
    bool is_client;
    bool is_answered; /* a client whose last bytes came from a replica */
    bool is_gone;
    char *queue; /* what the kernel did not take, or NULL */
    size_t queued;
};

static char receive[RECEIVE_BYTES];
static struct side **waiting; /* by replica: connections without a client */
static struct side *garbage;  /* freed when the events of a turn are through */
static int epoll_fd;
static int first_port;
static int replica_count;

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static struct side *create(int fd, bool is_client)
{
    struct side *side = calloc(1, sizeof(*side));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};

    if (!side)
        die("calloc");
    side->fd = fd;
    side->is_client = is_client;
    event.data.ptr = side;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
    return side;
}

static void discard(struct side *side)
{
    if (side->is_gone)
        return;
    side->is_gone = true;
    close(side->fd);
    free(side->queue);
    side->next = garbage;
    garbage = side;
}

static struct side *connect_to_replica(int replica)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct side *side;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)(first_port + replica));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* On loopback it stands at once: only afterwards it must not block. */
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("connect");
    side = create(fd, false);
    side->replica = replica;
    return side;
}

/* Joins it to the next replica; the one before is free for others. */
static void join(struct side *client)
{
    static int turn;
    int next = turn++ % replica_count;
    struct side *before = client->other;
    struct side *replica;

    if (before) {
        before->other = NULL;
        before->next = waiting[before->replica];
        waiting[before->replica] = before;
    }
    replica = waiting[next];
    if (replica)
        waiting[next] = replica->next;
    else
        replica = connect_to_replica(next);
    client->other = replica;
    client->is_answered = false;
    replica->other = client;
}

static void part(struct side *side)
{
    if (side->other)
        discard(side->other);
    discard(side);
}

/* False: it broke. */
static bool forward(struct side *to, const char *bytes, size_t size)
{
    ssize_t sent = to->queued ? 0 : send(to->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && errno != EAGAIN)
        return false;
    if (sent < 0)
        sent = 0;
    if ((size_t)sent == size)
        return true;
    to->queue = realloc(to->queue, to->queued + size - (size_t)sent);
    if (!to->queue)
        die("realloc");
    memcpy(to->queue + to->queued, bytes + sent, size - (size_t)sent);
    to->queued += size - (size_t)sent;
    return true;
}

static bool read_side(struct side *side)
{
    for (;;) {
        ssize_t size = recv(side->fd, receive, RECEIVE_BYTES, MSG_DONTWAIT);

        if (size < 0 && errno == EAGAIN)
            return true;
        if (size <= 0)
            return false;
        if (side->is_client && (!side->other || side->is_answered))
            join(side);
        else if (side->other && !side->is_client)
            side->other->is_answered = true;
        if (!side->other || !forward(side->other, receive, (size_t)size))
            return false;
        /* One that takes no more is waited for: nothing is read for it meanwhile. */
        if (size < RECEIVE_BYTES || side->other->queued)
            return true;
    }
}

static bool write_queue(struct side *side)
{
    ssize_t sent = send(side->fd, side->queue, side->queued, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0)
        return errno == EAGAIN;
    side->queued -= (size_t)sent;
    memmove(side->queue, side->queue + sent, side->queued);
    return side->queued || !side->other || read_side(side->other);
}

static void on_event(struct side *side, uint32_t events)
{
    if (side->is_gone)
        return;
    if ((events & EPOLLOUT) && side->queued && !write_queue(side)) {
        part(side);
        return;
    }
    if (!(events & ~(uint32_t)EPOLLOUT) || (side->other && side->other->queued))
        return;
    /* A short read says nothing of an end: an event that does is looked at until 0. */
    if (!read_side(side) || ((events & EPOLLRDHUP) && !read_side(side)))
        part(side);
}

static void accept_all(int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct side *side = create(fd, true);

        if (!read_side(side))
            part(side);
    }
}

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event event = {.events = EPOLLIN};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    const int off = 0;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
        die("listen");
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    struct rlimit files;
    int listener;

    if (argc != 4) {
        fprintf(stderr, "usage: forward PORT FIRST_REPLICA_PORT REPLICAS\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(0);
    first_port = atoi(argv[2]);
    replica_count = atoi(argv[3]);
    waiting = calloc((size_t)replica_count, sizeof(struct side *));
    if (!waiting)
        die("calloc");
    listener = listen_on(atoi(argv[1]));
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                on_event(events[i].data.ptr, events[i].events);
            else
                accept_all(listener);
        }
        while (garbage) {
            struct side *side = garbage;

            garbage = side->next;
            free(side);
        }
    }
}
