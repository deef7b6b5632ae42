/*
 * A pool of outbounds with a holder of their streams, and a listener for the test to be the replica
 * behind it. Shared by the tests of conn/outbound, each of which is a program of its own.
 */
#pragma once

#include "rig.h"

#include "conn/outbound.h"
#include "net/listener.h"

#define PLACE      7
#define CONNECT_MS 500
#define IDLE_MS    4000

struct fixture {
    struct rig rig;
    struct outbound_pool pool;
    struct outbound_place where;
    struct heard heard;
    int listener;
};

static inline void start(struct fixture *f)
{
    const struct outbound_settings settings = {
        .limits = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX},
        .idle_ms = IDLE_MS,
        .idle_max = 2,
    };
    struct error why;

    memset(f, 0, sizeof(*f));
    rig_init(&f->rig);
    heard_init(&f->heard);
    outbound_pool_init(&f->pool, &f->rig.socks, &settings);
    f->where = (struct outbound_place){.place = PLACE, .incarnation = 1};
    assert_int_equal(address_from_text(VIEW("127.0.0.1:0"), &f->where.address, &why), 0);
    f->listener = listener_open(&f->where.address, false, &why);
    assert_true(f->listener >= 0);
}

static inline void end(struct fixture *f)
{
    rig_turns(&f->rig, 3);
    outbound_pool_finish(&f->pool);
    heard_finish(&f->heard);
    close(f->listener);
    rig_finish(&f->rig);
}

static inline void ask(struct fixture *f, enum method method, const char *head, const char *body)
{
    struct stream_head out = {.text = view_of(head),
                              .method = method,
                              .body = {*body ? FRAMING_LENGTH : FRAMING_NONE, strlen(body)}};

    assert_int_equal(
        outbound_start(&f->pool, &f->where, CONNECT_MS, &heard_events, &f->heard, &f->heard.stream),
        0);
    stream_send_head(f->heard.stream, &out);
    stream_send_body(f->heard.stream, view_of(body));
    stream_send_end(f->heard.stream, VIEW(""));
    sock_group_settle(&f->rig.socks);
}

static inline void get(struct fixture *f)
{
    ask(f, METHOD_GET, "GET / HTTP/1.1\r\nHost: a\r\n", "");
}

static inline int accept_replica(struct fixture *f)
{
    for (unsigned turn = 0; turn < RIG_TURNS_MAX; turn++) {
        int fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            return fd;
        loop_turn(&f->rig.loop, 1000);
    }
    fail_msg("nobody connected");
    return -1;
}

/* Loopback delivers at once, but not within the call. */
static inline void settle(struct fixture *f)
{
    for (int i = 0; i < 5; i++)
        loop_turn(&f->rig.loop, 1000);
}

static inline int get_accepted(struct fixture *f)
{
    int replica;

    get(f);
    replica = accept_replica(f);
    settle(f);
    rig_expect(&f->rig, replica, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return replica;
}
