/*
 * What tests of health and supervisor need: a clock moved by hand, probes that are answered as the
 * test says (in place of conn/outbound), and a driver that runs nothing.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "conn/outbound.h"
#include "net/loop.h"
#include "net/sock.h"

#define ANY_MS         UINT64_C(1000)
#define ANY_S          UINT64_C(1000000)
#define ANY_PLACES     64
#define ANY_START_US   (1000 * ANY_S)
#define ANY_STEP_US    (2 * ANY_MS)
#define ANY_PROBES_MAX 4096

enum any_answer { ANY_REFUSES, ANY_SILENT, ANY_OK, ANY_ERROR };

static struct loop any_loop;
static struct sock_group any_socks;
static uint64_t any_now_us;

/* By port: what a probe of it is answered, and when each was sent. */
static enum any_answer any_answers[65536];
static unsigned any_probe_count;
static uint64_t any_probe_us[ANY_PROBES_MAX];
static char any_probe_text[512];
static unsigned any_probes_open;

/* ---- time ---- */

static inline void any_begin(void)
{
    clock_set(any_now_us = ANY_START_US);
    log_open(-1, LOG_ERROR, LOG_LOGFMT);
    assert_int_equal(0, loop_init(&any_loop, NULL));
    sock_group_init(&any_socks, &any_loop, 1 << 20);
    memset(any_answers, 0, sizeof(any_answers));
    any_probe_count = 0;
}

static inline void any_end(void)
{
    assert_int_equal(0, any_probes_open);
    sock_group_finish(&any_socks);
    loop_finish(&any_loop);
    clock_set(0);
}

/* What is due now happens. */
static inline void any_turn(void)
{
    for (int i = 0; i < 4; i++)
        loop_turn(&any_loop, 0);
}

/* Time passes while the loop runs. */
static inline void any_pass(uint64_t us)
{
    uint64_t until_us = any_now_us + us;

    any_turn();
    while (any_now_us < until_us) {
        any_now_us += until_us - any_now_us < ANY_STEP_US ? until_us - any_now_us : ANY_STEP_US;
        clock_set(any_now_us);
        any_turn();
    }
}

/* Time passes while the process is stopped. */
static inline void any_sleep(uint64_t us)
{
    clock_set(any_now_us += us);
}

/* ---- probes ---- */

struct any_stream {
    struct stream stream;
    struct ready ready;
    struct garbage garbage;
    uint16_t port;
};

static inline void any_stream_free(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct any_stream, garbage));
}

static inline void any_stream_end(struct any_stream *self)
{
    any_probes_open--;
    ready_cancel(&self->ready);
    loop_dispose(&any_loop, &self->garbage, any_stream_free);
}

static inline void any_stream_answer(struct ready *ready)
{
    struct any_stream *self = CONTAINER_OF(ready, struct any_stream, ready);
    const struct stream_events *events = self->stream.events;
    struct head head = {.status = any_answers[self->port] == ANY_OK ? 200 : 500};

    if (any_answers[self->port] == ANY_SILENT)
        return;
    any_stream_end(self);
    if (any_answers[self->port] == ANY_REFUSES) {
        events->on_reset(&self->stream, STREAM_REFUSED, "connection refused");
        return;
    }
    events->on_head(&self->stream, &head);
    events->on_end(&self->stream, NULL, 0);
}

static inline void any_stream_head(struct stream *stream, const struct stream_head *head)
{
    (void)stream;
    snprintf(any_probe_text, sizeof(any_probe_text), "%.*s", VIEW_ARGUMENTS(head->text));
}

static inline void any_stream_send_end(struct stream *stream, struct view trailers)
{
    (void)stream;
    (void)trailers;
}

static inline void any_stream_reset(struct stream *stream)
{
    any_stream_end(CONTAINER_OF(stream, struct any_stream, stream));
}

static const struct stream_calls any_stream_calls = {
    .send_head = any_stream_head,
    .send_end = any_stream_send_end,
    .reset = any_stream_reset,
};

int outbound_start(struct outbound_pool *pool, const struct outbound_place *where,
                   uint32_t connect_ms, const struct stream_events *events, void *holder,
                   struct stream **stream)
{
    struct any_stream *self = memory_allocate(sizeof(*self));

    (void)pool;
    (void)connect_ms;
    self->stream.calls = &any_stream_calls;
    self->port = address_port(&where->address);
    stream_hold(&self->stream, events, holder);
    ready_init(&self->ready, any_stream_answer);
    loop_make_ready(&any_loop, &self->ready);
    any_probes_open++;
    if (any_probe_count < ANY_PROBES_MAX)
        any_probe_us[any_probe_count] = any_now_us;
    any_probe_count++;
    *stream = &self->stream;
    return 0;
}

void outbound_pool_init(struct outbound_pool *pool, struct sock_group *socks,
                        const struct outbound_settings *settings)
{
    *pool = (struct outbound_pool){.socks = socks, .settings = *settings};
}

void outbound_pool_finish(struct outbound_pool *pool)
{
    (void)pool;
    loop_turn(&any_loop, 0);
}
