/*
 * The client of the benchmark: asks as fast as it is answered, or at a fixed rate, on a number of
 * connections, and looks at every answer: status, length, each byte. While it measures it watches
 * the processor time of the balancer's processes.
 *
 * At a fixed rate a request's time counts from when it should have been sent, so that a balancer
 * that stalls cannot hide it.
 *
 * Prints one JSON object. usage: client NAME=VALUE ... (the settings below)
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
#include <time.h>
#include <unistd.h>

#include "body.h"
#include "cpu.h"

#define EVENTS_MAX      256
#define HEAD_BYTES_MAX  4096
#define RECEIVE_BYTES   (256 * 1024)
#define SAMPLES_MAX     (4 * 1024 * 1024)
#define IDLE_AT_ONCE    16
#define CONNECTIONS_MAX 65536
#define NS_PER_S        INT64_C(1000000000)
#define STUCK_NS        (5 * NS_PER_S)
#define PIDS_BYTES      4096

static struct {
    int port;
    int connections;
    int idle; /* connections that ask once and then keep still */
    int milliseconds;
    int warm_milliseconds;
    long bytes; /* of each answer's body */
    long post;  /* bytes to send with each request; 0: GET */
    int closes; /* a new connection for each request */
    long rate;  /* requests a second; 0: as fast as answered */
    char pids[PIDS_BYTES];
} settings = {.connections = 64, .milliseconds = 2000, .warm_milliseconds = 300, .bytes = 150};

struct connection {
    int fd;
    bool is_waiting; /* for an answer */
    bool is_idle;    /* one of those that keep still */
    bool has_head;
    size_t kept;   /* bytes of a head that is not whole */
    size_t got;    /* bytes of the body */
    size_t unsent; /* of the request */
    int64_t since_ns;
    char head[HEAD_BYTES_MAX];
};

static struct connection *connections;
static struct connection **resting; /* at a fixed rate: those without a request */
static int resting_count;
static char receive[RECEIVE_BYTES];
static char *expected;
static char *request;
static size_t request_bytes;
static uint32_t *samples;
static size_t sample_count;
static int epoll_fd;
static bool is_measuring;
static bool is_settling; /* the idle ones ask: nothing else does */
static int idle_ready;
static int idle_wanted; /* settling is over when so many are ready */
static uint64_t answers;
static uint64_t errors;
static const char *first_error = "";

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* ---- connections ---- */

static void open_connection(struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = connection};
    const int on = 1;

    address.sin_port = htons((uint16_t)settings.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* On loopback it stands at once. */
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("connect");
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        die("epoll_ctl");
}

static void reopen(struct connection *connection)
{
    close(connection->fd);
    connection->is_waiting = connection->has_head = false;
    connection->kept = connection->got = connection->unsent = 0;
    open_connection(connection);
}

static void send_rest(struct connection *connection)
{
    ssize_t size = send(connection->fd, request + request_bytes - connection->unsent,
                        connection->unsent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (size > 0)
        connection->unsent -= (size_t)size;
}

static void ask(struct connection *connection, int64_t since_ns)
{
    connection->is_waiting = true;
    connection->has_head = false;
    connection->kept = connection->got = 0;
    connection->since_ns = since_ns;
    connection->unsent = request_bytes;
    send_rest(connection);
}

/* The connection is free for another request. */
static void go_on(struct connection *connection)
{
    if (connection->is_idle)
        return;
    if (settings.rate)
        resting[resting_count++] = connection;
    else
        ask(connection, now_ns());
}

static void fail(struct connection *connection, const char *what)
{
    if (!errors++)
        first_error = what;
    reopen(connection);
    go_on(connection);
}

/* ---- answers ---- */

static void complete(struct connection *connection)
{
    int64_t took_ns = now_ns() - connection->since_ns;

    connection->is_waiting = false;
    if (connection->is_idle)
        idle_ready++;
    if (is_measuring) {
        answers++;
        if (sample_count < SAMPLES_MAX)
            samples[sample_count++] = took_ns < UINT32_MAX ? (uint32_t)took_ns : UINT32_MAX;
    }
    if (settings.closes)
        reopen(connection);
    go_on(connection);
}

/* What is wrong with the head, or NULL. */
static const char *judge_head(const char *head)
{
    static char other_status[] = "status ???";
    const char *length = strcasestr(head, "\r\nContent-Length:");

    if (strncmp(head, "HTTP/1.1 200", 12) != 0) {
        bool has_status = strncmp(head, "HTTP/1.1 ", 9) == 0 && strlen(head) >= 12;

        if (!errors && has_status)
            memcpy(other_status + 7, head + 9, 3);
        return other_status;
    }
    if (!length || strtol(length + 17, NULL, 10) != settings.bytes)
        return "another length than asked for";
    return NULL;
}

/* Takes a head; returns the bytes behind it, or NULL where it is not whole or bad. */
static const char *take_head(struct connection *connection, const char *bytes, size_t *size)
{
    size_t room = HEAD_BYTES_MAX - 1 - connection->kept;
    size_t taken = *size < room ? *size : room;
    const char *wrong;
    char *end;
    size_t used;

    memcpy(connection->head + connection->kept, bytes, taken);
    connection->head[connection->kept + taken] = 0;
    end = strstr(connection->head, "\r\n\r\n");
    if (!end) {
        connection->kept += taken;
        if (taken < *size)
            fail(connection, "a head without an end");
        return NULL;
    }
    end[2] = 0;
    wrong = judge_head(connection->head);
    if (wrong) {
        fail(connection, wrong);
        return NULL;
    }
    used = (size_t)(end + 4 - connection->head) - connection->kept;
    connection->has_head = true;
    *size -= used;
    return bytes + used;
}

static void take(struct connection *connection, const char *bytes, size_t size)
{
    if (!connection->is_waiting) {
        fail(connection, "bytes that nobody asked for");
        return;
    }
    if (!connection->has_head) {
        bytes = take_head(connection, bytes, &size);
        if (!bytes)
            return;
    }
    if (size > (size_t)settings.bytes - connection->got) {
        fail(connection, "more bytes than the length says");
        return;
    }
    if (memcmp(bytes, expected + connection->got, size) != 0) {
        fail(connection, "another body than the replica's");
        return;
    }
    connection->got += size;
    if (connection->got == (size_t)settings.bytes)
        complete(connection);
}

static void on_event(struct connection *connection, uint32_t events)
{
    if ((events & EPOLLOUT) && connection->unsent)
        send_rest(connection);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    for (;;) {
        int fd = connection->fd;
        ssize_t size = recv(fd, receive, RECEIVE_BYTES, MSG_DONTWAIT);

        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) {
            fail(connection, size == 0 ? "a connection closed" : "a connection reset");
            return;
        }
        take(connection, receive, (size_t)size);
        if (connection->fd != fd || size < RECEIVE_BYTES)
            return;
    }
}

/* ---- the run ---- */

static int64_t next_ns; /* at a fixed rate: when the next request should go */

static void ask_what_is_due(int64_t now)
{
    while (next_ns <= now && resting_count > 0) {
        ask(resting[--resting_count], next_ns);
        next_ns += NS_PER_S / settings.rate;
    }
}

static void turn_until(int64_t end_ns)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t now = now_ns();

    while (now < end_ns && !(is_settling && idle_ready == idle_wanted)) {
        int64_t wake_ns = settings.rate && resting_count && next_ns < end_ns ? next_ns : end_ns;
        int64_t wait_ns = wake_ns > now ? wake_ns - now : 0;
        struct timespec wait = {wait_ns / NS_PER_S, wait_ns % NS_PER_S};
        int count = epoll_pwait2(epoll_fd, events, EVENTS_MAX, &wait, NULL);

        for (int i = 0; i < count; i++)
            on_event(events[i].data.ptr, events[i].events);
        now = now_ns();
        if (settings.rate && !is_settling)
            ask_what_is_due(now);
    }
}

/* Requests that got no answer at all. */
static void count_stuck(void)
{
    for (int i = 0; i < settings.connections; i++) {
        if (connections[i].is_waiting && now_ns() - connections[i].since_ns > STUCK_NS) {
            errors++;
            first_error = "no answer";
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static double quantile_us(double share)
{
    return sample_count ? samples[(size_t)(share * (double)(sample_count - 1))] / 1000.0 : 0;
}

static void start_idle(void)
{
    is_settling = true;
    for (int i = 0; i < settings.idle; i++) {
        struct connection *connection = &connections[settings.connections + i];

        connection->is_idle = true;
        open_connection(connection);
        ask(connection, now_ns());
        /* Few under way at a time: what they need meanwhile is not what an idle one costs. */
        idle_wanted = i + 1;
        if (i % IDLE_AT_ONCE == IDLE_AT_ONCE - 1 || i == settings.idle - 1)
            turn_until(now_ns() + STUCK_NS);
    }
    if (idle_ready != settings.idle)
        errors++;
    is_settling = false;
}

static void start_active(void)
{
    for (int i = 0; i < settings.connections; i++) {
        open_connection(&connections[i]);
        go_on(&connections[i]);
        if (i % 256 == 255)
            turn_until(now_ns() + NS_PER_S / 1000);
    }
}

static void measure(void)
{
    struct cpu before = cpu_read(settings.pids);
    int64_t start_ns = now_ns();
    struct cpu after;
    double seconds;

    is_measuring = true;
    turn_until(start_ns + settings.milliseconds * INT64_C(1000000));
    is_measuring = false;
    seconds = (double)(now_ns() - start_ns) / (double)NS_PER_S;
    after = cpu_read(settings.pids);
    count_stuck();
    qsort(samples, sample_count, sizeof(*samples), compare);
    printf("{\"answers\":%llu,\"seconds\":%.6f,\"errors\":%llu,\"first_error\":\"%s\","
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
           "\"cpu_us\":%.1f,\"user_ticks\":%llu,\"system_ticks\":%llu,\"sleeps\":%llu,"
           "\"anonymous_bytes\":%llu}\n",
           (unsigned long long)answers, seconds, (unsigned long long)errors, first_error,
           quantile_us(0.5), quantile_us(0.99), quantile_us(0.999),
           (double)(after.ns - before.ns) / 1000.0,
           (unsigned long long)(after.user_ticks - before.user_ticks),
           (unsigned long long)(after.system_ticks - before.system_ticks),
           (unsigned long long)(after.sleeps - before.sleeps),
           (unsigned long long)cpu_anonymous_bytes(settings.pids));
}

static void write_request(void)
{
    char head[512];
    int size = snprintf(head, sizeof(head),
                        "%s /%ld HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\n"
                        "Accept: */*\r\n%s",
                        settings.post ? "POST" : "GET", settings.bytes,
                        settings.closes ? "Connection: close\r\n" : "");

    if (settings.post)
        size += snprintf(head + size, sizeof(head) - (size_t)size, "Content-Length: %ld\r\n",
                         settings.post);
    size += snprintf(head + size, sizeof(head) - (size_t)size, "\r\n");
    request_bytes = (size_t)size + (size_t)settings.post;
    request = malloc(request_bytes);
    if (!request)
        die("malloc");
    memcpy(request, head, (size_t)size);
    body_fill(request + size, (size_t)settings.post);
}

static int set(const char *name, const char *value)
{
    const struct {
        const char *name;
        int *number;
        long *large;
    } numbers[] = {
        {"port", &settings.port, NULL},
        {"connections", &settings.connections, NULL},
        {"idle", &settings.idle, NULL},
        {"milliseconds", &settings.milliseconds, NULL},
        {"warm", &settings.warm_milliseconds, NULL},
        {"bytes", NULL, &settings.bytes},
        {"post", NULL, &settings.post},
        {"closes", &settings.closes, NULL},
        {"rate", NULL, &settings.rate},
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(name, numbers[i].name) != 0)
            continue;
        if (numbers[i].number)
            *numbers[i].number = atoi(value);
        else
            *numbers[i].large = atol(value);
        return 0;
    }
    if (strcmp(name, "pids") != 0)
        return -EINVAL;
    snprintf(settings.pids, sizeof(settings.pids), "%s", value);
    return 0;
}

static int read_settings(int count, char **words)
{
    for (int i = 0; i < count; i++) {
        char *equals = strchr(words[i], '=');

        if (!equals)
            return -EINVAL;
        *equals = 0;
        if (set(words[i], equals + 1) < 0)
            return -EINVAL;
    }
    if (settings.bytes < 0 || settings.bytes > BODY_BYTES_MAX || settings.post < 0 ||
        settings.post > BODY_BYTES_MAX)
        return -EINVAL;
    return settings.connections + settings.idle <= CONNECTIONS_MAX ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (read_settings(argc - 1, argv + 1) < 0) {
        fprintf(stderr, "usage: client port=P pids=1,2 connections=C bytes=B ...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(0);
    connections = calloc((size_t)(settings.connections + settings.idle), sizeof(*connections));
    resting = calloc((size_t)(settings.connections + 1), sizeof(struct connection *));
    samples = malloc(SAMPLES_MAX * sizeof(*samples));
    expected = malloc(BODY_BYTES_MAX);
    if (!connections || !resting || !samples || !expected)
        die("malloc");
    body_fill(expected, BODY_BYTES_MAX);
    write_request();
    start_idle();
    next_ns = now_ns();
    start_active();
    turn_until(now_ns() + settings.warm_milliseconds * INT64_C(1000000));
    measure();
    return 0;
}
