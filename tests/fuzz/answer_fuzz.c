/*
 * Any bytes of a replica, cut anywhere, through a whole data plane to a client. What the client
 * gets is of the grammar to the last byte: one whole answer, the same whole and cut, or the visible
 * end of one that was cut off. Where the connection to the replica is kept, another client gets its
 * own answer by it. The first byte of an input chooses the request, the second the cuts.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "plane.h"
#include "strict.h"
#include "base/random.h"

#define INPUT_BYTES_MAX (16 * 1024)
#define RECEIVED_MAX    (256 * 1024)
#define TURNS           8
#define TURNS_MAX       4000

static const char *const requests[] = {
    "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\nContent-Length: 3\r\n\r\nabc",
};

/* A client's connection, and what came by it. */
struct caller {
    int fd;
    char text[RECEIVED_MAX];
    size_t size;
    bool has_ended;
};

/* What one run has brought to light. */
struct run {
    struct caller caller;
    struct strict answer;
    bool is_whole;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct caller *caller)
{
    ssize_t got =
        recv(caller->fd, caller->text + caller->size, sizeof(caller->text) - caller->size, 0);

    if (got > 0)
        caller->size += (size_t)got;
    if (got == 0 || (got < 0 && errno != EAGAIN))
        caller->has_ended = true;
}

/* Unix sockets deliver at once. */
static void settle(struct caller *caller)
{
    for (int i = 0; i < TURNS; i++) {
        loop_turn(&loop, 0);
        take(caller);
    }
}

static void call(struct caller *caller, const char *request)
{
    struct address address;
    int pair[2];

    caller->size = 0;
    caller->has_ended = false;
    INSIST(address_from_ip(VIEW("127.0.0.1"), 1234, &address) == 0);
    INSIST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    caller->fd = pair[0];
    INSIST(send(pair[0], request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
    inbound_open(&inbounds, pair[1], &address, 0);
    settle(caller);
}

/* The connection was kept: whoever comes next by it gets what is sent for him. */
static void insist_on_own_answer(int replica)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond";
    static struct caller neighbour;
    static char ignored[RECEIVED_MAX];

    while (recv(replica, ignored, sizeof(ignored), 0) > 0)
        ;
    call(&neighbour, requests[0]);
    INSIST(!neighbour.size && !neighbour.has_ended);
    INSIST(send(replica, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == sizeof(answer) - 1);
    settle(&neighbour);
    INSIST(view_equals((struct view){neighbour.text, neighbour.size}, view_of(answer)));
    close(neighbour.fd);
}

/* The client's bytes as a strict reader sees them. */
static void read_answer(struct run *run, bool is_to_head)
{
    struct view rest = {run->caller.text, run->caller.size};

    run->answer.size = 0;
    run->is_whole = strict_answer(&run->answer, &rest, is_to_head);
    if (run->is_whole)
        INSIST(!rest.size);
    else
        INSIST(run->caller.has_ended);
}

/* The bytes, in pieces that end at the cuts (ascending). */
static void play(struct run *run, const char *request, struct view bytes, const size_t *cuts,
                 unsigned count)
{
    size_t at = 0;
    int pair[2];

    random_seed(1);
    proxy_clear_seat(&proxy, SEAT);
    INSIST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    outbound_adopt(&proxy.outbounds, pair[1], SEAT, 1);
    call(&run->caller, request);
    for (unsigned i = 0; i <= count; i++) {
        size_t next = i < count ? cuts[i] : bytes.size;

        if (next > at)
            (void)!send(pair[0], bytes.data + at, next - at, MSG_NOSIGNAL);
        at = next;
        settle(&run->caller);
    }
    if (outbound_has_idle(&proxy.outbounds, SEAT))
        insist_on_own_answer(pair[0]);
    /* What has no other end has this one. */
    shutdown(pair[0], SHUT_WR);
    settle(&run->caller);
    read_answer(run, view_starts_with(view_of(request), VIEW("HEAD ")));
    close(run->caller.fd);
    close(pair[0]);
    inbound_group_abort(&inbounds);
    for (unsigned turn = 0; inbounds.count || outbound_has_idle(&proxy.outbounds, SEAT); turn++) {
        INSIST(turn < TURNS_MAX);
        loop_turn(&loop, 0);
    }
    INSIST(list_is_empty(&proxy.all));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole;
    static struct run cut;
    const char *request;
    size_t cuts[CUTS_MAX];
    struct view bytes;
    unsigned count;

    if (!proxy.table)
        plane_start();
    if (size < 3 || size > INPUT_BYTES_MAX)
        return 0;
    request = requests[data[0] % ARRAY_SIZE(requests)];
    bytes = (struct view){(const char *)data + 2, size - 2};
    count = plane_choose_cuts(data[1], bytes.size, cuts);
    play(&whole, request, bytes, NULL, 0);
    play(&cut, request, bytes, cuts, count);
    INSIST(whole.is_whole == cut.is_whole);
    if (whole.is_whole)
        INSIST(view_equals((struct view){whole.answer.text, whole.answer.size},
                           (struct view){cut.answer.text, cut.answer.size}));
    return 0;
}
