/*
 * A whole data plane in one process: a proxy with a real table, inbounds, and replicas that are
 * raw sockets the test reads and writes by hand. Time goes by in turns of the loop.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include "base/descriptor.h"
#include "base/memory.h"
#include "conn/inbound.h"
#include "net/listener.h"
#include "proxy/answer.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/record.h"

#define RIG_REPLICAS_MAX 8
#define RIG_TURNS_MAX    2000
#define RIG_TEXT_BYTES   (1024 * 1024)

static char rig_text[RIG_TEXT_BYTES]; /* what rig_ask() or rig_pass() received last */

struct rig {
    struct loop loop;
    struct sock_group socks;
    struct inbound_group inbounds;
    struct proxy proxy;
    struct state_segment *states;
    const struct state_segment *states_seen;
    struct count_segment *counts;
    const struct count_segment *counts_seen;
    struct balance_image *image;
    unsigned count;
    int listeners[RIG_REPLICAS_MAX];
    struct table_replica replicas[RIG_REPLICAS_MAX];
    struct table_rules rules;
    enum table_compat compat;
    uint64_t epoch;
    const struct table_key_spec *keys;    /* NULL: the default ones */
    const struct balance_image *previous; /* of the pool before its last change, or NULL */
    unsigned key_count;
    unsigned streams_wanted;
};

static inline void rig_on_request(struct inbound *inbound, struct stream *stream,
                                  const struct head *head)
{
    struct rig *rig = inbound->group->owner;
    struct exchange_client client = client_of(inbound, head, rig->proxy.table);

    exchange_begin(&rig->proxy, stream, head, &client);
}

static inline void rig_on_refused(struct inbound *inbound, uint16_t status, const char *reason,
                                  struct view *fields, struct view *body)
{
    struct rig *rig = inbound->group->owner;

    answer_write_error(&rig->socks, rig->compat, status, view_of(reason), (struct view){NULL, 0},
                       fields, body);
}

static const struct inbound_events rig_inbound_events = {.on_request = rig_on_request,
                                                         .on_refused = rig_on_refused};

static inline void rig_want_stream(struct proxy *proxy)
{
    CONTAINER_OF(proxy, struct rig, proxy)->streams_wanted++;
}

static inline int rig_listen(struct address *address)
{
    struct error why;
    int fd;

    assert_int_equal(address_from_text(VIEW("127.0.0.1:0"), address, &why), 0);
    fd = listener_open(address, false, &why);
    assert_true(fd >= 0);
    return fd;
}

/* Builds a table of the replicas as they are now and adopts it. */
static inline void rig_publish(struct rig *rig)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_member members[RIG_REPLICAS_MAX];
    struct table_key_spec keys[] = {{.kind = TABLE_KEY_HEADER, .text = "X-Request-ID"},
                                    {.kind = TABLE_KEY_RANDOM}};
    struct table_service_spec service = {
        .name = "web", .keys = keys, .key_count = 2, .rules = rig->rules};
    struct table_listener listener = {.services = {1}, .is_loopback = 1};
    struct table_spec spec = {
        .epoch = ++rig->epoch,
        .listeners = &listener,
        .listener_count = 1,
        .services = &service,
        .service_count = 1,
        .settings = {.compat = rig->compat,
                     .connections_max = 1000,
                     .header_bytes = 32 * 1024,
                     .header_timeout_ms = 10000,
                     .idle_timeout_ms = 60000,
                     .outbound_idle_ms = 4000,
                     .body_bytes = UINT64_MAX,
                     .buffered_bytes = 64 << 20},
    };
    const struct table *table;
    struct error why;
    int fd;

    if (rig->keys) {
        service.keys = rig->keys;
        service.key_count = rig->key_count;
    }
    for (unsigned i = 0; i < rig->count; i++)
        members[i] = (struct balance_member){rig->replicas[i].name, 1, i + 1};
    balance_destroy(rig->image);
    assert_int_equal(balance_build(&options, members, rig->count, &rig->image, &why), 0);
    service.image = rig->image;
    service.previous = rig->previous;
    service.replicas = rig->replicas;
    service.replica_count = rig->count;
    assert_int_equal(table_build(&spec, &fd, &why), 0);
    assert_int_equal(table_map(fd, &table, &why), 0);
    close(fd);
    proxy_adopt(&rig->proxy, table);
}

static inline void rig_start(struct rig *rig, unsigned count, enum table_compat compat)
{
    struct inbound_settings settings = {
        .limits = {.head_bytes = 32 * 1024, .fields = HEAD_FIELDS_MAX},
        .body_bytes_max = UINT64_MAX,
        .header_timeout_ms = 10000,
        .idle_timeout_ms = 60000,
        .connections_max = 1000,
    };
    struct error why;
    int fd;

    memset(rig, 0, sizeof(*rig));
    rig->compat = compat;
    rig->count = count;
    rig->rules = (struct table_rules){.connect_ms = 500,
                                      .response_ms = 30000,
                                      .idle_ms = 60000,
                                      .attempts = 3,
                                      .retry_permille = 200,
                                      .retry_body_bytes = 64 * 1024,
                                      .panic_percent = 50};
    assert_int_equal(loop_init(&rig->loop, &why), 0);
    sock_group_init(&rig->socks, &rig->loop, 64 << 20);
    assert_int_equal(segments_create_state(&fd, &rig->states, &why), 0);
    assert_int_equal(segments_map_state(fd, &rig->states_seen, &why), 0);
    close(fd);
    assert_int_equal(segments_create_counts(&fd, &rig->counts_seen, &why), 0);
    assert_int_equal(segments_map_counts(fd, &rig->counts, &why), 0);
    close(fd);
    proxy_init(&rig->proxy, &rig->loop, &rig->socks, rig->states_seen, rig->counts);
    rig->proxy.want_stream = rig_want_stream;
    inbound_group_init(&rig->inbounds, &rig->socks, &rig_inbound_events, &settings, rig);
    for (unsigned i = 0; i < count; i++) {
        struct table_replica *replica = &rig->replicas[i];

        snprintf(replica->name, sizeof(replica->name), "Server %u", i + 1);
        rig->listeners[i] = rig_listen(&replica->address);
        replica->seat = i + 10;
        replica->incarnation = 1;
        replica->weight = 1;
        segments_set_state(rig->states, replica->seat, 1, SEAT_UP);
    }
    rig_publish(rig);
}

static inline void rig_turn(struct rig *rig)
{
    loop_turn(&rig->loop, 1000);
}

static inline void rig_turns(struct rig *rig, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++)
        loop_turn(&rig->loop, 0);
}

static inline void rig_stop(struct rig *rig)
{
    inbound_group_abort(&rig->inbounds);
    for (unsigned i = 0; i < RIG_TURNS_MAX && rig->inbounds.count; i++)
        rig_turn(rig);
    proxy_finish(&rig->proxy);
    inbound_group_finish(&rig->inbounds);
    sock_group_finish(&rig->socks);
    loop_finish(&rig->loop);
    for (unsigned i = 0; i < rig->count; i++)
        close(rig->listeners[i]);
    balance_destroy(rig->image);
    segments_unmap_state(rig->states);
    segments_unmap_state(rig->states_seen);
    segments_unmap_counts(rig->counts);
    segments_unmap_counts(rig->counts_seen);
}

/* A client's end of a new connection. */
static inline int rig_client(struct rig *rig)
{
    struct address address = {.size = 0};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(address_from_ip(VIEW("127.0.0.1"), 1234, &address), 0);
    inbound_open(&rig->inbounds, ends[1], &address, 0);
    return ends[0];
}

/* The next connection that reaches any replica; says which. */
static inline int rig_accept(struct rig *rig, unsigned *which)
{
    *which = 0;
    for (unsigned turn = 0; turn < RIG_TURNS_MAX; turn++) {
        for (unsigned i = 0; i < rig->count; i++) {
            int fd = rig->listeners[i] < 0
                         ? -1
                         : accept4(rig->listeners[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

            if (fd >= 0) {
                *which = i;
                return fd;
            }
        }
        rig_turn(rig);
    }
    fail_msg("no connection reached a replica");
    return -1;
}

static inline void rig_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until `text` ends with `end`, or the other side has closed ("" = until then). */
static inline void rig_receive(struct rig *rig, int fd, char *text, size_t capacity,
                               const char *end)
{
    size_t size = 0;

    for (unsigned turn = 0; turn < RIG_TURNS_MAX; turn++) {
        ssize_t got = recv(fd, text + size, capacity - 1 - size, 0);

        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            text[size] = 0;
            if (*end)
                fail_msg("closed after \"%s\"", text);
            return;
        }
        if (got > 0)
            size += (size_t)got;
        text[size] = 0;
        if (*end && size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0)
            return;
        if (got < 0)
            rig_turn(rig);
    }
    fail_msg("waited in vain for \"%s\", got \"%s\"", end, text);
}

/* One end says something; it has come to the other end, up to `end`. */
static inline void rig_pass(struct rig *rig, int from, const char *said, int to, const char *end)
{
    rig_send(from, said);
    rig_receive(rig, to, rig_text, RIG_TEXT_BYTES, end);
}

/* A client of its own asks; the replica that got it has read up to `end`. */
static inline int rig_ask(struct rig *rig, const char *request, const char *end, int *replica,
                          unsigned *which)
{
    int client = rig_client(rig);

    rig_send(client, request);
    *replica = rig_accept(rig, which);
    rig_receive(rig, *replica, rig_text, RIG_TEXT_BYTES, end);
    return client;
}
