/*
 * A sock under test with a bare descriptor at its other end, and the story of what it told. Shared
 * by the tests of net/sock, each of which is a program of its own.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/listener.h"
#include "net/sock.h"

#define NOW_US      UINT64_C(1000000000)
#define LIMIT_BYTES ((size_t)8 * 1024 * 1024)
#define TURNS_MAX   5000
#define MEBIBYTE    ((size_t)1024 * 1024)

/* Turns until `condition`; each waits a millisecond at most. */
#define TURN_UNTIL(condition)                                                                      \
    do {                                                                                           \
        for (int turn = 0; !(condition); turn++) {                                                 \
            if (turn == TURNS_MAX)                                                                 \
                fail_msg("never: %s", #condition);                                                 \
            loop_turn(&loop, CLOCK_US_PER_MS);                                                     \
        }                                                                                          \
    } while (0)

static struct loop loop;
static struct sock_group group;

/* A sock under test and all that it told. */
struct end {
    struct sock sock;
    int other; /* the bare descriptor at the other end */
    uint64_t received;
    char first[64]; /* of the bytes received */
    char story[16]; /* b(ytes, once), f(in), d(rained), c(onnected), r(eset), x (destroyed) */
    int error;
    void (*act)(struct end *end, char what, struct view bytes); /* the test's own doing */
    struct end *to;
};

static inline void tell(struct end *end, char what, struct view bytes)
{
    size_t size = strlen(end->story);

    /* Bytes are told once in a row; of a relay that would be a long story. */
    if (!end->to && (what != 'b' || !size || end->story[size - 1] != 'b')) {
        assert_true(size + 1 < sizeof(end->story));
        end->story[size] = what;
    }
    if (end->act)
        end->act(end, what, bytes);
}

static inline struct end *from_sock(struct sock *sock)
{
    return CONTAINER_OF(sock, struct end, sock);
}

/* What arrives and is sent in these tests: byte i of a stream is this. */
static inline char pattern(uint64_t at)
{
    return (char)(at * 7 + (at >> 8));
}

static inline void on_bytes(struct sock *sock, struct view bytes)
{
    struct end *end = from_sock(sock);

    assert_true(bytes.size > 0);
    for (size_t i = 0; i < bytes.size && end->received + i < sizeof(end->first); i++)
        end->first[end->received + i] = bytes.data[i];
    end->received += bytes.size;
    tell(end, 'b', bytes);
}

static inline void on_fin(struct sock *sock)
{
    tell(from_sock(sock), 'f', VIEW(""));
}

static inline void on_drained(struct sock *sock)
{
    assert_int_equal(sock_queued(sock), 0);
    tell(from_sock(sock), 'd', VIEW(""));
}

static inline void on_connected(struct sock *sock)
{
    tell(from_sock(sock), 'c', VIEW(""));
}

static inline void on_reset(struct sock *sock, int error)
{
    from_sock(sock)->error = error;
    tell(from_sock(sock), 'r', VIEW(""));
}

static const struct sock_events end_events = {
    .on_bytes = on_bytes,
    .on_fin = on_fin,
    .on_drained = on_drained,
    .on_connected = on_connected,
    .on_reset = on_reset,
};

static inline void on_destroy(struct sock *sock)
{
    tell(from_sock(sock), 'x', VIEW(""));
}

static inline int start(void **state)
{
    (void)state;
    clock_set(NOW_US);
    if (loop_init(&loop, NULL) < 0)
        return -1;
    sock_group_init(&group, &loop, LIMIT_BYTES);
    return 0;
}

static inline int finish(void **state)
{
    (void)state;
    assert_int_equal(group.queued_bytes, 0);
    assert_true(list_is_empty(&group.starved));
    loop_finish(&loop);
    sock_group_finish(&group);
    clock_set(0);
    return 0;
}

static inline void open_pair(struct end *end)
{
    int ends[2];

    *end = (struct end){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    end->other = ends[1];
    sock_adopt(&end->sock, &group, ends[0], &end_events);
}

static inline int listen_somewhere(struct address *address)
{
    int fd;

    assert_int_equal(address_from_text(VIEW("127.0.0.1:0"), address, NULL), 0);
    fd = listener_open(address, false, NULL);
    assert_true(fd >= 0);
    return fd;
}

/* The two ends of a connection over loopback. */
static inline void connect_tcp(int ends[2])
{
    struct address address;
    int listener = listen_somewhere(&address);

    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(ends[1], &address.any, address.size), 0);
    ends[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(ends[0] >= 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    close(listener);
}

static inline void open_tcp(struct end *end)
{
    int ends[2];

    connect_tcp(ends);
    *end = (struct end){.other = ends[1]};
    sock_adopt(&end->sock, &group, ends[0], &end_events);
}

/* The other end closes so that a RST is sent. */
static inline void reset_by_other(struct end *end)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(setsockopt(end->other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(end->other);
    end->other = -1;
}

static inline void close_end(struct end *end)
{
    end->act = NULL;
    sock_abort(&end->sock, on_destroy);
    loop_turn(&loop, 0);
    assert_int_equal(end->story[strlen(end->story) - 1], 'x');
    if (end->other >= 0)
        close(end->other);
}

/* Reads what is there; checks that it is the stream from *at on. -1: nothing now, 0: the end. */
static inline ssize_t drain_other(int fd, uint64_t *at, size_t most)
{
    static char bytes[256 * 1024];
    ssize_t size = read(fd, bytes, most < sizeof(bytes) ? most : sizeof(bytes));

    for (ssize_t i = 0; i < size; i++) {
        if (bytes[i] != pattern(*at + (uint64_t)i))
            fail_msg("byte %llu is wrong", (unsigned long long)(*at + (uint64_t)i));
    }
    if (size > 0)
        *at += (uint64_t)size;
    return size;
}

static inline struct view stream(size_t size)
{
    static char bytes[2 * 1024 * 1024];

    assert_true(size <= sizeof(bytes));
    if (!bytes[1]) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = pattern(i);
    }
    return (struct view){bytes, size};
}

static inline void say(struct end *end, const char *text)
{
    assert_int_equal(write(end->other, text, strlen(text)), strlen(text));
}

static inline void fill_queue(struct end *end, size_t size)
{
    while (!sock_queued(&end->sock)) {
        sock_write(&end->sock, stream(65536));
        sock_flush(&end->sock);
    }
    sock_write(&end->sock, stream(size - sock_queued(&end->sock)));
    assert_int_equal(sock_queued(&end->sock), size);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
