/*
 * Inbounds or outbounds in one loop, and the other end of each connection in the test's hands. Time
 * stands still unless a test moves it.
 */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "conn/stream.h"
#include "net/sock.h"

#define RIG_TURNS_MAX  2000
#define RIG_START_US   UINT64_C(1000000000)
#define RIG_TEXT_BYTES (1024 * 1024)

struct rig {
    struct loop loop;
    struct sock_group socks;
    uint64_t now_us;
};

/* What a stream told its holder. */
struct heard {
    struct stream *stream; /* NULL: it is over */
    struct buffer body;
    struct buffer trailers;
    unsigned heads;
    unsigned interims;
    unsigned ends;
    unsigned resets;
    uint16_t status;
    enum stream_failure failure;
    char why[128];
    size_t unconsumed; /* bytes not given back yet */
    bool keeps_credit;
};

static inline void rig_init(struct rig *rig)
{
    struct error why;

    *rig = (struct rig){.now_us = RIG_START_US};
    clock_set(rig->now_us);
    assert_int_equal(loop_init(&rig->loop, &why), 0);
    sock_group_init(&rig->socks, &rig->loop, 64 << 20);
}

static inline void rig_finish(struct rig *rig)
{
    loop_turn(&rig->loop, 0);
    assert_int_equal(rig->socks.kept_bytes, 0);
    sock_group_finish(&rig->socks);
    loop_finish(&rig->loop);
    clock_set(0);
}

static inline void rig_turns(struct rig *rig, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++)
        loop_turn(&rig->loop, 0);
}

/* Moves the clock in steps that a coarse wheel can follow. */
static inline void rig_pass(struct rig *rig, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 10) {
        rig->now_us += 10000;
        clock_set(rig->now_us);
        loop_turn(&rig->loop, 0);
    }
    rig_turns(rig, 3);
}

static inline void rig_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* All that has arrived at the test's end; *is_closed where the other side has ended it. */
static inline size_t rig_read(struct rig *rig, int fd, char *text, bool *is_closed)
{
    size_t size = 0;

    *is_closed = false;
    for (unsigned quiet = 0; quiet < 4;) {
        ssize_t got = recv(fd, text + size, RIG_TEXT_BYTES - 1 - size, MSG_DONTWAIT);

        if (got > 0) {
            size += (size_t)got;
            quiet = 0;
            continue;
        }
        if (got == 0 || errno != EAGAIN) {
            *is_closed = true;
            break;
        }
        loop_turn(&rig->loop, 0);
        quiet++;
    }
    text[size] = 0;
    return size;
}

static inline void rig_expect(struct rig *rig, int fd, const char *expected)
{
    static char text[RIG_TEXT_BYTES];
    bool is_closed;

    rig_read(rig, fd, text, &is_closed);
    assert_string_equal(text, expected);
    assert_false(is_closed);
}

static inline void rig_expect_end(struct rig *rig, int fd, const char *expected)
{
    static char text[RIG_TEXT_BYTES];
    bool is_closed;

    rig_read(rig, fd, text, &is_closed);
    assert_string_equal(text, expected);
    assert_true(is_closed);
}

/* ---- a holder that writes down what it hears ---- */

static inline void heard_init(struct heard *heard)
{
    *heard = (struct heard){.stream = NULL};
    buffer_init(&heard->body, RIG_TEXT_BYTES);
    buffer_init(&heard->trailers, RIG_TEXT_BYTES);
}

static inline void heard_finish(struct heard *heard)
{
    buffer_finish(&heard->body);
    buffer_finish(&heard->trailers);
}

static inline void heard_interim(struct stream *stream, const struct head *head)
{
    struct heard *heard = stream->holder;

    heard->interims++;
    heard->status = head->status;
}

static inline void heard_head(struct stream *stream, const struct head *head)
{
    struct heard *heard = stream->holder;

    heard->heads++;
    heard->status = head->status;
}

static inline void heard_body(struct stream *stream, struct view bytes)
{
    struct heard *heard = stream->holder;

    assert_int_equal(buffer_append(&heard->body, bytes), 0);
    if (heard->keeps_credit)
        heard->unconsumed += bytes.size;
    else
        stream_consumed(stream, bytes.size);
}

static inline void heard_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    struct heard *heard = stream->holder;

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(
            buffer_print(&heard->trailers, "%s%.*s=%.*s\n", trailers[i].is_dropped ? "-" : "",
                         VIEW_ARGUMENTS(trailers[i].name), VIEW_ARGUMENTS(trailers[i].value)),
            0);
    heard->ends++;
}

static inline void heard_drained(struct stream *stream)
{
    (void)stream;
}

static inline void heard_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    struct heard *heard = stream->holder;

    heard->resets++;
    heard->failure = failure;
    snprintf(heard->why, sizeof(heard->why), "%s", why);
    heard->stream = NULL;
}

static const struct stream_events heard_events = {
    .on_interim = heard_interim,
    .on_head = heard_head,
    .on_body = heard_body,
    .on_end = heard_end,
    .on_drained = heard_drained,
    .on_reset = heard_reset,
};

#define HEARD_BODY(heard, text) assert_true(view_equals(buffer_view(&(heard)->body), view_of(text)))
