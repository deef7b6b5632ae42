/*
 * A whole data plane for the targets that play a client or a replica to it: a real table with one
 * service and one replica, inbounds, the exchange and the pool of outbounds. Connections to the
 * replica are given to the pool, so that the other end of each is the target's.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "insist.h"
#include "base/clock.h"
#include "conn/inbound.h"
#include "proxy/answer.h"
#include "proxy/client.h"
#include "proxy/exchange.h"

#define NOW_US           UINT64_C(1000000000)
#define SEAT             10
#define CUTS_MAX         8
#define BODY_BYTES_MAX   4096
#define HEADER_BYTES_MAX 2048

static struct loop loop;
static struct sock_group socks;
static struct inbound_group inbounds;
static struct proxy proxy;

static inline void plane_on_request(struct inbound *inbound, struct stream *stream,
                                    const struct head *head)
{
    struct exchange_client client = client_of(inbound, head, proxy.table);

    exchange_begin(&proxy, stream, head, &client);
}

static inline void plane_on_refused(struct inbound *inbound, uint16_t status, const char *reason,
                                    struct view *fields, struct view *body)
{
    (void)inbound;
    answer_write_error(&socks, TABLE_COMPAT_OFF, status, view_of(reason), (struct view){NULL, 0},
                       fields, body);
}

static const struct inbound_events plane_events = {.on_request = plane_on_request,
                                                   .on_refused = plane_on_refused};

static inline void plane_want_stream(struct proxy *self)
{
    (void)self;
}

/* One service with one replica, whose address nobody listens on: its connections are given. */
static inline void plane_publish(void)
{
    static struct table_key_spec keys[] = {{.kind = TABLE_KEY_HEADER, .text = "X-Request-ID"},
                                           {.kind = TABLE_KEY_RANDOM}};
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_member member = {"only", 1, 1};
    struct table_replica replica = {.name = "only", .seat = SEAT, .incarnation = 1, .weight = 1};
    struct table_service_spec service = {.name = "web", .keys = keys, .key_count = 2};
    struct table_listener listener = {.services = {1}, .is_loopback = 1};
    struct table_spec spec = {.epoch = 1,
                              .listeners = &listener,
                              .listener_count = 1,
                              .services = &service,
                              .service_count = 1};
    struct balance_image *image;
    const struct table *table;
    struct error why;
    int fd;

    service.rules = (struct table_rules){.connect_ms = 500,
                                         .response_ms = 30000,
                                         .idle_ms = 60000,
                                         .attempts = 1,
                                         .retry_body_bytes = 65536};
    spec.settings = (struct table_settings){.connections_max = 100,
                                            .outbound_idle_ms = 4000,
                                            .body_bytes = UINT64_MAX,
                                            .buffered_bytes = 64 << 20};
    INSIST(address_from_text(VIEW("127.0.0.1:1"), &replica.address, &why) == 0);
    INSIST(balance_build(&options, &member, 1, &image, &why) == 0);
    service.image = image;
    service.replicas = &replica;
    service.replica_count = 1;
    INSIST(table_build(&spec, &fd, &why) == 0 && table_map(fd, &table, &why) == 0);
    close(fd);
    balance_destroy(image);
    proxy_adopt(&proxy, table);
}

static inline void plane_start(void)
{
    static const struct inbound_settings settings = {
        .limits = {.head_bytes = HEADER_BYTES_MAX, .fields = 32},
        .body_bytes_max = BODY_BYTES_MAX,
        .header_timeout_ms = 10000,
        .idle_timeout_ms = 60000,
        .connections_max = 100,
    };
    const struct state_segment *states_seen;
    const struct count_segment *counts_seen;
    struct state_segment *states;
    struct count_segment *counts;
    struct error why;
    int fd;

    clock_set(NOW_US);
    INSIST(loop_init(&loop, &why) == 0);
    sock_group_init(&socks, &loop, 64 << 20);
    INSIST(segments_create_state(&fd, &states, &why) == 0);
    INSIST(segments_map_state(fd, &states_seen, &why) == 0);
    close(fd);
    INSIST(segments_create_counts(&fd, &counts_seen, &why) == 0);
    INSIST(segments_map_counts(fd, &counts, &why) == 0);
    close(fd);
    proxy_init(&proxy, &loop, &socks, states_seen, counts);
    proxy.want_stream = plane_want_stream;
    inbound_group_init(&inbounds, &socks, &plane_events, &settings, NULL);
    segments_set_state(states, SEAT, 1, SEAT_UP);
    plane_publish();
}

/* Where the input is cut, ascending; says how often. */
static inline unsigned plane_choose_cuts(uint8_t seed, size_t size, size_t *cuts)
{
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    unsigned count = 0;
    size_t at = 0;

    while (count < CUTS_MAX && size - at > 1) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        at += 1 + (size_t)(state >> 33) % (size - at > 64 && seed % 2 ? 64 : size - at);
        if (at >= size)
            break;
        cuts[count++] = at;
    }
    return count;
}
