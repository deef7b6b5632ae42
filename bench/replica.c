/*
 * The cheapest HTTP server that is of use: many replicas in one process, one port each. `GET /N`
 * answers N bytes (bench/body.h), anything else 150; a body that was sent is read and thrown away.
 * It trusts whoever asks: it is for the benchmark.
 *
 * usage: replica FIRST_PORT COUNT
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

#include "body.h"

#define EVENTS_MAX     256
#define HEAD_BYTES_MAX 4096
#define RECEIVE_BYTES  (256 * 1024)
#define ANSWERS_MAX    16
#define DEFAULT_BYTES  150
#define BACKLOG        4096

/* A whole answer, head and body in one piece. */
struct answer {
    size_t body_bytes;
    size_t size;
    char *text;
};

struct connection {
    int fd;
    bool is_listener;
    bool must_close;
    size_t kept; /* bytes of a head that is not whole */
    size_t left; /* bytes of a body still to come */
    const struct answer *answer;
    size_t sent; /* of it */
    char head[HEAD_BYTES_MAX];
};

static struct answer answers[ANSWERS_MAX];
static char receive[RECEIVE_BYTES + 1];
static int epoll_fd;

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static const struct answer *answer_of(size_t body_bytes)
{
    unsigned i = 0;
    int head;

    while (i < ANSWERS_MAX && answers[i].text && answers[i].body_bytes != body_bytes)
        i++;
    if (i == ANSWERS_MAX || body_bytes > BODY_BYTES_MAX)
        return &answers[0];
    if (answers[i].text)
        return &answers[i];
    answers[i].body_bytes = body_bytes;
    answers[i].text = malloc(body_bytes + 256);
    if (!answers[i].text)
        die("malloc");
    head = sprintf(answers[i].text,
                   "HTTP/1.1 200 OK\r\nServer: replica\r\nDate: Fri, 20 Nov 2026 05:00:00 GMT\r\n"
                   "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                   body_bytes);
    body_fill(answers[i].text + head, body_bytes);
    answers[i].size = (size_t)head + body_bytes;
    return &answers[i];
}

static void watch(struct connection *connection)
{
    struct epoll_event event = {.data.ptr = connection};

    event.events = connection->is_listener ? EPOLLIN : EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        die("epoll_ctl");
}

static void end(struct connection *connection)
{
    close(connection->fd);
    free(connection);
}

/* False: the connection has ended. */
static bool send_answer(struct connection *connection)
{
    const struct answer *answer = connection->answer;

    while (answer && connection->sent < answer->size) {
        ssize_t size = send(connection->fd, answer->text + connection->sent,
                            answer->size - connection->sent, MSG_NOSIGNAL);

        if (size < 0 && errno == EAGAIN)
            return true;
        if (size < 0) {
            end(connection);
            return false;
        }
        connection->sent += (size_t)size;
    }
    if (answer && connection->must_close) {
        end(connection);
        return false;
    }
    connection->answer = NULL;
    return true;
}

static bool begin_answer(struct connection *connection, const char *head)
{
    const char *number = strncmp(head, "GET /", 5) == 0 ? head + 5 : "";
    size_t body_bytes = *number >= '0' && *number <= '9' ? strtoul(number, NULL, 10) : 0;

    connection->must_close = strcasestr(head, "\r\nConnection: close") != NULL;
    connection->answer = answer_of(*number >= '0' && *number <= '9' ? body_bytes : DEFAULT_BYTES);
    connection->sent = 0;
    return connection->left ? true : send_answer(connection);
}

/* Takes what was received; heads are not pipelined. */
static bool take(struct connection *connection, char *bytes, size_t size)
{
    const char *end_of_head;
    const char *length;
    size_t head_bytes;

    if (connection->left) {
        connection->left -= size < connection->left ? size : connection->left;
        return connection->left ? true : send_answer(connection);
    }
    if (connection->kept) {
        if (size >= HEAD_BYTES_MAX - connection->kept)
            return true;
        memcpy(connection->head + connection->kept, bytes, size);
        bytes = connection->head;
        size += connection->kept;
    }
    bytes[size] = 0;
    end_of_head = strstr(bytes, "\r\n\r\n");
    if (!end_of_head) {
        if (bytes != connection->head && size < HEAD_BYTES_MAX)
            memcpy(connection->head, bytes, size);
        connection->kept = size;
        return true;
    }
    connection->kept = 0;
    head_bytes = (size_t)(end_of_head + 4 - bytes);
    length = *bytes == 'P' ? strcasestr(bytes, "\r\nContent-Length:") : NULL;
    connection->left = length ? strtoul(length + 17, NULL, 10) : 0;
    connection->left -= size - head_bytes < connection->left ? size - head_bytes : connection->left;
    return begin_answer(connection, bytes);
}

static void serve(struct connection *connection)
{
    for (;;) {
        ssize_t size = recv(connection->fd, receive, RECEIVE_BYTES, 0);

        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) {
            end(connection);
            return;
        }
        if (!take(connection, receive, (size_t)size))
            return;
        if (size < RECEIVE_BYTES)
            return;
    }
}

static void accept_all(const struct connection *listener)
{
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK);
        struct connection *connection;

        if (fd < 0)
            return;
        connection = calloc(1, sizeof(*connection));
        if (!connection)
            die("calloc");
        connection->fd = fd;
        watch(connection);
    }
}

static void listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct connection *listener = calloc(1, sizeof(*listener));
    const int on = 1;

    if (!listener)
        die("calloc");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener->is_listener = true;
    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(listener->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (bind(listener->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener->fd, BACKLOG) < 0)
        die("listen");
    watch(listener);
}

static void on_event(const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;

    if (connection->is_listener) {
        accept_all(connection);
        return;
    }
    if ((event->events & EPOLLOUT) && connection->answer && !connection->left &&
        !send_answer(connection))
        return;
    if (event->events & ~(uint32_t)EPOLLOUT)
        serve(connection);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    struct rlimit files;

    if (argc != 3) {
        fprintf(stderr, "usage: replica FIRST_PORT COUNT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(0);
    answer_of(DEFAULT_BYTES);
    for (int i = 0; i < atoi(argv[2]); i++)
        listen_on(atoi(argv[1]) + i);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

        for (int i = 0; i < count; i++)
            on_event(&events[i]);
    }
}
