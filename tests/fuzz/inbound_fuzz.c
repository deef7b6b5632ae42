/*
 * Any bytes of a client, cut anywhere, through a whole data plane: a real table, an inbound, the
 * exchange, and a replica that is the other end of a socket. Whole and cut give the same requests
 * to the replica and the same statuses to the client, and whatever reaches the replica is of the
 * grammar to the last byte. The first byte of an input chooses the cuts.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "strict.h"
#include "base/clock.h"
#include "base/random.h"
#include "conn/inbound.h"
#include "proxy/answer.h"
#include "proxy/client.h"
#include "proxy/exchange.h"

#define NOW_US           UINT64_C(1000000000)
#define SEAT             10
#define INPUT_BYTES_MAX  (16 * 1024)
#define RECEIVED_MAX     (512 * 1024)
#define ENDS_MAX         16 /* connections to the replica in one run */
#define CUTS_MAX         8
#define QUIET_TURNS      3
#define TURNS_MAX        4000
#define BODY_BYTES_MAX   4096
#define HEADER_BYTES_MAX 2048

static struct loop loop;
static struct sock_group socks;
static struct inbound_group inbounds;
static struct proxy proxy;

/* A connection to the replica, from its side. */
struct end {
    int fd;
    char received[RECEIVED_MAX];
    size_t size;
    size_t answered; /* bytes of requests that were answered */
};

/* What one run has brought to light. */
struct run {
    struct end ends[ENDS_MAX];
    unsigned count;
    struct strict requests;
    char answers[RECEIVED_MAX]; /* what the client got */
    size_t answer_bytes;
    char statuses[4096];
    size_t status_bytes;
    bool has_ended;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the data plane ---- */

static void on_request(struct inbound *inbound, struct stream *stream, const struct head *head)
{
    struct exchange_client client = client_of(inbound, head, proxy.table);

    exchange_begin(&proxy, stream, head, &client);
}

static void on_refused(struct inbound *inbound, uint16_t status, const char *reason,
                       struct view *fields, struct view *body)
{
    (void)inbound;
    answer_write_error(&socks, TABLE_COMPAT_OFF, status, view_of(reason), (struct view){NULL, 0},
                       fields, body);
}

static const struct inbound_events events = {.on_request = on_request, .on_refused = on_refused};

static void want_stream(struct proxy *self)
{
    (void)self;
}

/* One service with one replica, whose address nobody listens on: its connections are given. */
static void publish(void)
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

static void start(void)
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
    proxy.want_stream = want_stream;
    inbound_group_init(&inbounds, &socks, &events, &settings, NULL);
    segments_set_state(states, SEAT, 1, SEAT_UP);
    publish();
}

/* ---- the replica ---- */

/* There is always a connection that the next request may go to. */
static void offer_connection(struct run *run)
{
    struct end *end = &run->ends[run->count];
    int pair[2];

    if (outbound_has_idle(&proxy.outbounds, SEAT) || run->count == ENDS_MAX)
        return;
    INSIST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    end->fd = pair[0];
    end->size = end->answered = 0;
    run->count++;
    outbound_adopt(&proxy.outbounds, pair[1], SEAT, 1);
}

/* Takes what came and answers each whole request; whether anything came. */
static bool serve(struct run *run, struct end *end)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    static const char head_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    ssize_t got = recv(end->fd, end->received + end->size, sizeof(end->received) - end->size, 0);
    struct view rest;

    if (got <= 0)
        return false;
    end->size += (size_t)got;
    rest = (struct view){end->received + end->answered, end->size - end->answered};
    while (rest.size) {
        bool is_head = view_starts_with(rest, VIEW("HEAD "));

        if (!strict_request(&run->requests, &rest))
            break;
        end->answered = end->size - rest.size;
        if (is_head)
            (void)!send(end->fd, head_answer, sizeof(head_answer) - 1, MSG_NOSIGNAL);
        else
            (void)!send(end->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
    }
    return true;
}

/* ---- the client ---- */

static bool take_answers(struct run *run, int fd)
{
    ssize_t got =
        recv(fd, run->answers + run->answer_bytes, sizeof(run->answers) - run->answer_bytes, 0);

    if (got > 0)
        run->answer_bytes += (size_t)got;
    if (got == 0 || (got < 0 && errno != EAGAIN))
        run->has_ended = true;
    return got > 0;
}

/* Turns until nothing moves any more. */
static void settle(struct run *run, int fd)
{
    unsigned quiet = 0;

    for (unsigned turn = 0; quiet < QUIET_TURNS; turn++) {
        bool has_moved = false;

        INSIST(turn < TURNS_MAX);
        offer_connection(run);
        loop_turn(&loop, 0);
        for (unsigned i = 0; i < run->count; i++)
            has_moved |= serve(run, &run->ends[i]);
        has_moved |= take_answers(run, fd);
        quiet = has_moved ? 0 : quiet + 1;
    }
}

/* The status lines, wherever they stand. */
static void note_statuses(struct run *run)
{
    struct view rest = {run->answers, run->answer_bytes};

    for (;;) {
        const char *found = rest.size ? memmem(rest.data, rest.size, "HTTP/1.1 ", 9) : NULL;

        if (!found || run->status_bytes + 4 > sizeof(run->statuses))
            return;
        rest = view_between(found + 9, rest.data + rest.size);
        if (rest.size < 4)
            return;
        memcpy(run->statuses + run->status_bytes, rest.data, 4);
        run->status_bytes += 4;
    }
}

static void send_some(int fd, const uint8_t *data, size_t size)
{
    if (size)
        (void)!send(fd, data, size, MSG_NOSIGNAL);
}

/* The bytes, in pieces that end at the cuts (ascending). */
static void play(struct run *run, const uint8_t *data, size_t size, const size_t *cuts,
                 unsigned count)
{
    struct address address;
    size_t at = 0;
    int pair[2];

    run->count = 0;
    run->requests.size = 0;
    run->requests.requests = 0;
    run->answer_bytes = run->status_bytes = 0;
    run->has_ended = false;
    random_seed(1);
    proxy_clear_seat(&proxy, SEAT);
    INSIST(address_from_ip(VIEW("127.0.0.1"), 1234, &address) == 0);
    INSIST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    offer_connection(run);
    inbound_open(&inbounds, pair[1], &address, 0);
    for (unsigned i = 0; i < count; i++) {
        send_some(pair[0], data + at, cuts[i] - at);
        at = cuts[i];
        settle(run, pair[0]);
    }
    send_some(pair[0], data + at, size - at);
    settle(run, pair[0]);
    shutdown(pair[0], SHUT_WR);
    settle(run, pair[0]);
    INSIST(run->has_ended);
    note_statuses(run);
    close(pair[0]);
    inbound_group_abort(&inbounds);
    for (unsigned i = 0; i < run->count; i++)
        close(run->ends[i].fd);
    for (unsigned turn = 0; inbounds.count || outbound_has_idle(&proxy.outbounds, SEAT); turn++) {
        INSIST(turn < TURNS_MAX);
        loop_turn(&loop, 0);
    }
    INSIST(list_is_empty(&proxy.all));
}

static unsigned choose_cuts(uint8_t seed, size_t size, size_t *cuts)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole;
    static struct run cut;
    size_t cuts[CUTS_MAX];
    unsigned count;

    if (!proxy.table)
        start();
    if (size < 2 || size > INPUT_BYTES_MAX)
        return 0;
    count = choose_cuts(data[0], size - 1, cuts);
    play(&whole, data + 1, size - 1, NULL, 0);
    play(&cut, data + 1, size - 1, cuts, count);
    INSIST(whole.requests.requests == cut.requests.requests);
    INSIST(view_equals((struct view){whole.requests.text, whole.requests.size},
                       (struct view){cut.requests.text, cut.requests.size}));
    INSIST(view_equals((struct view){whole.statuses, whole.status_bytes},
                       (struct view){cut.statuses, cut.status_bytes}));
    return 0;
}
