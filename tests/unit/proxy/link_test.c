#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/descriptor.h"
#include "proxy/link.h"

/* Turns within which whatever is under way has arrived. */
#define TURNS 100

/* One side: what came. */
struct side {
    struct link link;
    struct link_message last;
    unsigned count;
    uint64_t sum;
    int fd; /* came with the last message; -1: none */
    unsigned closed;
    unsigned stop_at; /* ends itself at that message; 0: never */
    bool is_sending;
    bool was_told_while_sending;
};

struct pair {
    struct loop loop;
    struct side keeper;
    struct side worker;
};

static void on_message(struct link *link, const struct link_message *message, int fd)
{
    struct side *side = link->owner;

    side->last = *message;
    side->sum += message->number;
    side->count++;
    descriptor_close(&side->fd);
    side->fd = fd;
    if (side->count == side->stop_at)
        link_stop(link);
}

static void on_closed(struct link *link)
{
    struct side *side = link->owner;

    side->closed++;
    side->was_told_while_sending |= side->is_sending;
}

static void start_side(struct side *side, struct loop *loop, int fd)
{
    *side = (struct side){.fd = -1};
    assert_int_equal(link_start(&side->link, loop, fd, on_message, on_closed, side), 0);
}

static void start(struct pair *pair)
{
    struct error why = {0};
    int ends[2];

    assert_int_equal(loop_init(&pair->loop, &why), 0);
    assert_int_equal(link_pair(ends, &why), 0);
    start_side(&pair->keeper, &pair->loop, ends[0]);
    start_side(&pair->worker, &pair->loop, ends[1]);
}

/* A keeper whose other end the test holds itself; that end. */
static int start_keeper_alone(struct pair *pair)
{
    struct error why = {0};
    int ends[2];

    assert_int_equal(loop_init(&pair->loop, &why), 0);
    assert_int_equal(link_pair(ends, &why), 0);
    start_side(&pair->keeper, &pair->loop, ends[0]);
    pair->worker = (struct side){.fd = -1};
    return ends[1];
}

static void finish(struct pair *pair)
{
    link_stop(&pair->keeper.link);
    link_stop(&pair->worker.link);
    descriptor_close(&pair->keeper.fd);
    descriptor_close(&pair->worker.fd);
    loop_finish(&pair->loop);
}

static void turn(struct pair *pair)
{
    for (unsigned i = 0; i < TURNS; i++)
        loop_turn(&pair->loop, 0);
}

static int send_from(struct side *side, enum link_kind kind, uint64_t number, int fd)
{
    int result;

    side->is_sending = true;
    result = link_send(&side->link, kind, number, fd);
    side->is_sending = false;
    return result;
}

static unsigned open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static bool is_same_file(int a, int b)
{
    struct stat one;
    struct stat other;

    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* ---- what goes over it ---- */

static void messages_and_descriptors_go_both_ways(void **state)
{
    int sent[2];
    struct pair pair;

    (void)state;
    start(&pair);
    assert_int_equal(pipe(sent), 0);
    assert_int_equal(send_from(&pair.keeper, LINK_TABLE, UINT64_MAX, sent[0]), 0);
    turn(&pair);
    assert_int_equal(pair.worker.count, 1);
    assert_int_equal(pair.worker.last.kind, LINK_TABLE);
    assert_true(pair.worker.last.number == UINT64_MAX);
    assert_int_not_equal(pair.worker.fd, sent[0]);
    assert_true(is_same_file(pair.worker.fd, sent[0]));
    assert_true(fcntl(pair.worker.fd, F_GETFD) & FD_CLOEXEC);

    assert_int_equal(send_from(&pair.worker, LINK_ADOPTED, 7, -1), 0);
    turn(&pair);
    assert_int_equal(pair.keeper.last.kind, LINK_ADOPTED);
    assert_int_equal(pair.keeper.last.number, 7);
    assert_int_equal(pair.keeper.fd, -1);
    assert_int_equal(send_from(&pair.worker, LINK_READY, 0, sent[1]), 0);
    turn(&pair);
    assert_true(is_same_file(pair.keeper.fd, sent[1]));
    assert_int_equal(pair.keeper.closed + pair.worker.closed, 0);
    /* What was sent stays the sender's. */
    assert_int_equal(close(sent[0]), 0);
    assert_int_equal(close(sent[1]), 0);
    finish(&pair);
}

static void many_messages_arrive_in_order_and_none_is_lost(void **state)
{
    unsigned sent = 0;
    struct pair pair;

    (void)state;
    start(&pair);
    for (unsigned round = 0; round < 5; round++) {
        while (send_from(&pair.keeper, LINK_TABLE, sent, -1) == 0)
            sent++;
        turn(&pair);
        assert_int_equal(pair.worker.count, sent);
        assert_int_equal(pair.worker.last.number, sent - 1);
    }
    assert_int_equal(pair.worker.sum, (uint64_t)sent * (sent - 1) / 2);
    finish(&pair);
}

static void a_talkative_side_does_not_hold_up_the_loop(void **state)
{
    struct pair pair;

    (void)state;
    start(&pair);
    while (send_from(&pair.keeper, LINK_TABLE, 1, -1) == 0)
        ;
    loop_turn(&pair.loop, 0);
    assert_true(pair.worker.count > 0 && pair.worker.count <= 64);
    finish(&pair);
}

static void who_does_not_read_makes_the_other_try_again(void **state)
{
    unsigned sent = 0;
    int pipes[2];
    struct pair pair;
    int result;

    (void)state;
    start(&pair);
    assert_int_equal(pipe(pipes), 0);
    while ((result = send_from(&pair.keeper, LINK_TABLE, sent, sent % 2 ? pipes[0] : -1)) == 0)
        sent++;
    assert_int_equal(result, -EAGAIN);
    assert_true(sent > 10);
    assert_int_equal(send_from(&pair.keeper, LINK_TABLE, sent, -1), -EAGAIN);
    turn(&pair);
    assert_int_equal(pair.worker.count, sent);
    assert_int_equal(send_from(&pair.keeper, LINK_TABLE, sent, pipes[0]), 0);
    turn(&pair);
    assert_int_equal(pair.worker.count, sent + 1);
    assert_int_equal(pair.keeper.closed + pair.worker.closed, 0);
    close(pipes[0]);
    close(pipes[1]);
    finish(&pair);
}

/* ---- how it ends ---- */

static void nonsense_ends_the_link(void **state)
{
    static const struct link_message good = {LINK_VERSION, LINK_READY, 1};
    static const struct link_message newer = {LINK_VERSION + 1, LINK_READY, 1};
    static const char longer[sizeof(good) + 1] = {LINK_VERSION};
    const struct {
        const void *bytes;
        size_t size;
    } cases[] = {
        {&good, sizeof(good) - 1}, {&good, 1}, {&good, 0}, {&newer, sizeof(newer)},
        {longer, sizeof(longer)},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pair pair;
        int end = start_keeper_alone(&pair);

        assert_int_equal(send(end, &good, sizeof(good), 0), sizeof(good));
        assert_int_equal(send(end, cases[i].bytes, cases[i].size, 0), cases[i].size);
        assert_int_equal(send(end, &good, sizeof(good), MSG_NOSIGNAL), sizeof(good));
        turn(&pair);
        assert_int_equal(pair.keeper.count, 1);
        assert_int_equal(pair.keeper.closed, 1);
        assert_int_equal(send_from(&pair.keeper, LINK_TABLE, 1, -1), -EPIPE);
        turn(&pair);
        assert_int_equal(pair.keeper.closed, 1);
        close(end);
        finish(&pair);
    }
}

/* Sends `size` bytes with `count` copies of descriptor 0 … 2. */
static void send_with_descriptors(int end, const void *bytes, size_t size, unsigned count)
{
    static const int fds[3] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    char control[CMSG_SPACE(sizeof(fds))] = {0};
    struct iovec piece = {(void *)bytes, size};
    struct msghdr header = {.msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    assert_int_equal(sendmsg(end, &header, 0), size);
}

static void no_descriptor_is_left_behind(void **state)
{
    static const struct link_message good = {LINK_VERSION, LINK_READY, 1};
    static const struct link_message newer = {LINK_VERSION + 1, LINK_READY, 1};
    unsigned before = open_descriptors();
    struct pair pair;
    int end;

    (void)state;
    for (unsigned count = 1; count <= 3; count++) {
        end = start_keeper_alone(&pair);
        send_with_descriptors(end, &good, sizeof(good), count);
        send_with_descriptors(end, &newer, sizeof(newer), count);
        turn(&pair);
        assert_int_equal(pair.keeper.count, 1);
        assert_true(is_same_file(pair.keeper.fd, STDIN_FILENO));
        assert_int_equal(pair.keeper.closed, 1);
        close(end);
        finish(&pair);
        assert_int_equal(open_descriptors(), before);
    }
}

static void who_goes_is_noticed_once_and_after_his_last_words(void **state)
{
    struct pair pair;

    (void)state;
    start(&pair);
    assert_int_equal(send_from(&pair.worker, LINK_READY, 3, -1), 0);
    link_stop(&pair.worker.link);
    link_stop(&pair.worker.link);
    turn(&pair);
    assert_int_equal(pair.keeper.count, 1);
    assert_int_equal(pair.keeper.last.number, 3);
    assert_int_equal(pair.keeper.closed, 1);
    assert_int_equal(pair.worker.closed, 0);
    assert_int_equal(pair.keeper.link.watch.fd, -1);
    finish(&pair);
}

static void sending_to_somebody_gone_says_so_and_closes_later(void **state)
{
    struct pair pair;

    (void)state;
    start(&pair);
    link_stop(&pair.worker.link);
    assert_int_equal(send_from(&pair.keeper, LINK_TABLE, 1, -1), -EPIPE);
    assert_int_equal(pair.keeper.closed, 0);
    assert_int_equal(send_from(&pair.keeper, LINK_TABLE, 1, -1), -EPIPE);
    turn(&pair);
    assert_int_equal(pair.keeper.closed, 1);
    assert_false(pair.keeper.was_told_while_sending);
    finish(&pair);
}

static void after_a_stop_nothing_is_called(void **state)
{
    struct pair pair;

    (void)state;
    start(&pair);
    pair.worker.stop_at = 2;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(send_from(&pair.keeper, LINK_TABLE, i, -1), 0);
    turn(&pair);
    assert_int_equal(pair.worker.count, 2);
    assert_int_equal(pair.worker.closed, 0);
    assert_int_equal(pair.keeper.closed, 1);
    finish(&pair);

    /* Nor where the end was already on its way. */
    start(&pair);
    link_stop(&pair.worker.link);
    assert_int_equal(send_from(&pair.keeper, LINK_TABLE, 1, -1), -EPIPE);
    link_stop(&pair.keeper.link);
    turn(&pair);
    assert_int_equal(pair.keeper.closed, 0);
    finish(&pair);
}

static void a_link_that_never_was_may_be_stopped(void **state)
{
    struct link link = {0};

    (void)state;
    link_stop(&link);
}

static void both_ends_are_closed_by_exec_and_never_wait(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(link_pair(ends, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(fcntl(ends[i], F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(ends[i], F_GETFL) & O_NONBLOCK);
        close(ends[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_and_descriptors_go_both_ways),
        cmocka_unit_test(many_messages_arrive_in_order_and_none_is_lost),
        cmocka_unit_test(a_talkative_side_does_not_hold_up_the_loop),
        cmocka_unit_test(who_does_not_read_makes_the_other_try_again),
        cmocka_unit_test(nonsense_ends_the_link),
        cmocka_unit_test(no_descriptor_is_left_behind),
        cmocka_unit_test(who_goes_is_noticed_once_and_after_his_last_words),
        cmocka_unit_test(sending_to_somebody_gone_says_so_and_closes_later),
        cmocka_unit_test(after_a_stop_nothing_is_called),
        cmocka_unit_test(a_link_that_never_was_may_be_stopped),
        cmocka_unit_test(both_ends_are_closed_by_exec_and_never_wait),
    };

    return cmocka_run_group_tests_name("proxy/link", tests, NULL, NULL);
}
