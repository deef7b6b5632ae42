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

#include "plane.h"
#include "strict.h"
#include "base/random.h"

#define INPUT_BYTES_MAX (16 * 1024)
#define RECEIVED_MAX    (512 * 1024)
#define ENDS_MAX        16 /* connections to the replica in one run */
#define QUIET_TURNS     3
#define TURNS_MAX       4000

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole;
    static struct run cut;
    size_t cuts[CUTS_MAX];
    unsigned count;

    if (!proxy.table)
        plane_start();
    if (size < 2 || size > INPUT_BYTES_MAX)
        return 0;
    count = plane_choose_cuts(data[0], size - 1, cuts);
    play(&whole, data + 1, size - 1, NULL, 0);
    play(&cut, data + 1, size - 1, cuts, count);
    INSIST(whole.requests.requests == cut.requests.requests);
    INSIST(view_equals((struct view){whole.requests.text, whole.requests.size},
                       (struct view){cut.requests.text, cut.requests.size}));
    INSIST(view_equals((struct view){whole.statuses, whole.status_bytes},
                       (struct view){cut.statuses, cut.status_bytes}));
    return 0;
}
