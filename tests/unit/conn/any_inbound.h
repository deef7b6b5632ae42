/*
 * A group of inbounds whose requests the test hears and answers, and a client's end of each
 * connection. Shared by the tests of conn/inbound, each of which is a program of its own.
 */
#pragma once

#include "rig.h"

#include "conn/inbound.h"

#define HEADER_MS 10000
#define IDLE_MS   60000

struct fixture {
    struct rig rig;
    struct inbound_group group;
    struct heard heard;
    const char *answer_at_once; /* a body: every request is answered with it from on_request */
    uint16_t answer_status;
    unsigned requests;
    char targets[4096]; /* of the requests, a blank behind each */
    unsigned refusals;
    uint16_t refused;
};

static inline void on_request(struct inbound *inbound, struct stream *stream,
                              const struct head *head)
{
    struct fixture *f = inbound->group->owner;
    size_t size = strlen(f->targets);

    f->requests++;
    if (size + head->target.size + 2 < sizeof(f->targets))
        snprintf(f->targets + size, sizeof(f->targets) - size, "%.*s ",
                 VIEW_ARGUMENTS(head->target));
    if (f->answer_at_once) {
        inbound_answer(stream, f->answer_status, VIEW("X-Own: 1\r\n"), view_of(f->answer_at_once));
        return;
    }
    f->heard.stream = stream;
    stream_hold(stream, &heard_events, &f->heard);
}

static inline void on_refused(struct inbound *inbound, uint16_t status, const char *reason,
                              struct view *fields, struct view *body)
{
    struct fixture *f = inbound->group->owner;

    f->refusals++;
    f->refused = status;
    *fields = VIEW("Content-Type: text/plain\r\n");
    *body = view_of(reason);
}

static const struct inbound_events events = {.on_request = on_request, .on_refused = on_refused};

static inline void start(struct fixture *f)
{
    const struct inbound_settings settings = {
        .limits = {.head_bytes = 1024, .fields = 32},
        .body_bytes_max = 100000,
        .header_timeout_ms = HEADER_MS,
        .idle_timeout_ms = IDLE_MS,
        .connections_max = 2,
    };

    memset(f, 0, sizeof(*f));
    rig_init(&f->rig);
    heard_init(&f->heard);
    f->answer_status = 200;
    inbound_group_init(&f->group, &f->rig.socks, &events, &settings, f);
}

static inline void end(struct fixture *f)
{
    inbound_group_abort(&f->group);
    rig_turns(&f->rig, 3);
    inbound_group_finish(&f->group);
    heard_finish(&f->heard);
    rig_finish(&f->rig);
}

static inline int connect_client(struct fixture *f)
{
    struct address address = {.size = 0};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(address_from_ip(VIEW("127.0.0.1"), 1234, &address), 0);
    inbound_open(&f->group, ends[1], &address, 0);
    return ends[0];
}

/* A small answer of one piece. */
static inline void answer(struct fixture *f, const char *body)
{
    struct stream *stream = f->heard.stream;

    f->heard.stream = NULL;
    inbound_answer(stream, 200, VIEW(""), view_of(body));
    sock_group_settle(&f->rig.socks);
}
