#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"

#define GIVEN 3

/* A worker that has some descriptors to give, and a keeper that asks. */
struct fixture {
    struct loop loop;
    struct handover handover;
    struct sockaddr_un address;
    int listening;
    int asking;
    int given[GIVEN];
    unsigned drains;
    uint64_t within_ms;
};

static int listener_at(struct handover *handover, unsigned number)
{
    struct fixture *f = CONTAINER_OF(handover, struct fixture, handover);

    return number < GIVEN ? f->given[number] : -1;
}

static void on_drain(struct handover *handover, uint64_t within_ms)
{
    struct fixture *f = CONTAINER_OF(handover, struct fixture, handover);

    f->drains++;
    f->within_ms = within_ms;
}

static int connect_one(struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(0, connect(fd, (const struct sockaddr *)&f->address, sizeof(f->address)));
    return fd;
}

static int make(void **state)
{
    struct fixture *f = memory_allocate(sizeof(*f));
    struct error why;

    assert_int_equal(0, loop_init(&f->loop, &why));
    f->address.sun_family = AF_UNIX;
    snprintf(f->address.sun_path, sizeof(f->address.sun_path), "/tmp/handover-test-%d", getpid());
    unlink(f->address.sun_path);
    f->listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    assert_int_equal(0,
                     bind(f->listening, (const struct sockaddr *)&f->address, sizeof(f->address)));
    assert_int_equal(0, listen(f->listening, 8));
    for (int i = 0; i < GIVEN; i++)
        f->given[i] = open("/dev/null", O_RDONLY);
    assert_int_equal(0,
                     handover_start(&f->handover, &f->loop, f->listening, listener_at, on_drain));
    f->asking = connect_one(f);
    *state = f;
    return 0;
}

static int destroy(void **state)
{
    struct fixture *f = *state;

    handover_stop(&f->handover);
    close(f->asking);
    close(f->listening);
    unlink(f->address.sun_path);
    for (int i = 0; i < GIVEN; i++)
        close(f->given[i]);
    loop_finish(&f->loop);
    free(f);
    return 0;
}

static void ask(struct fixture *f, uint32_t version, uint32_t kind, uint64_t number)
{
    struct link_message message = {.version = version, .kind = kind, .number = number};

    assert_int_equal(sizeof(message), send(f->asking, &message, sizeof(message), MSG_NOSIGNAL));
    for (int i = 0; i < 4; i++)
        loop_turn(&f->loop, 0);
}

/* The kind of the next message, 0 where the connection has ended, -1 where there is none; *fd what
 * came with it. */
static int hear(int from, int *fd)
{
    char control[CMSG_SPACE(sizeof(int))];
    struct link_message message = {0};
    struct iovec piece = {&message, sizeof(message)};
    struct msghdr header = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    ssize_t size = recvmsg(from, &header, 0);
    struct cmsghdr *rights = size > 0 ? CMSG_FIRSTHDR(&header) : NULL;

    *fd = -1;
    if (rights)
        memcpy(fd, CMSG_DATA(rights), sizeof(*fd));
    if (size < 0)
        return errno == EAGAIN ? -1 : 0;
    return size == 0 ? 0 : (int)message.kind;
}

static void all_listening_sockets_are_handed_over(void **state)
{
    struct fixture *f = *state;
    int fd;

    ask(f, LINK_VERSION, HANDOVER_LISTENERS, 0);
    for (int i = 0; i < GIVEN; i++) {
        struct stat status;

        assert_int_equal(HANDOVER_LISTENER, hear(f->asking, &fd));
        assert_int_equal(0, fstat(fd, &status));
        close(fd);
    }
    assert_int_equal(HANDOVER_END, hear(f->asking, &fd));
    assert_int_equal(-1, hear(f->asking, &fd));
    assert_int_equal(0, f->drains);
}

static void it_drains_when_it_is_told_to(void **state)
{
    struct fixture *f = *state;
    int fd;

    ask(f, LINK_VERSION, HANDOVER_DRAIN, 1234);
    assert_int_equal(HANDOVER_END, hear(f->asking, &fd));
    assert_int_equal(1, f->drains);
    assert_int_equal(1234, f->within_ms);
}

static void both_verbs_work_on_one_connection(void **state)
{
    struct fixture *f = *state;
    int fd;

    ask(f, LINK_VERSION, HANDOVER_LISTENERS, 0);
    ask(f, LINK_VERSION, HANDOVER_DRAIN, 5);
    for (int i = 0; i < GIVEN; i++) {
        assert_int_equal(HANDOVER_LISTENER, hear(f->asking, &fd));
        close(fd);
    }
    assert_int_equal(HANDOVER_END, hear(f->asking, &fd));
    assert_int_equal(HANDOVER_END, hear(f->asking, &fd));
    assert_int_equal(1, f->drains);
}

static void another_verb_or_version_ends_the_connection_and_nothing_else(void **state)
{
    static const struct {
        uint32_t version;
        uint32_t kind;
    } nonsense[] = {{LINK_VERSION, 7}, {LINK_VERSION + 1, HANDOVER_DRAIN}, {0, 0}};
    struct fixture *f = *state;
    int fd;

    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
        ask(f, nonsense[i].version, nonsense[i].kind, 1);
        assert_int_equal(0, hear(f->asking, &fd));
        close(f->asking);
        f->asking = connect_one(f);
        loop_turn(&f->loop, 0);
    }
    assert_int_equal(0, f->drains);
    ask(f, LINK_VERSION, HANDOVER_DRAIN, 1);
    assert_int_equal(1, f->drains);
}

static void a_descriptor_that_comes_along_is_closed(void **state)
{
    struct fixture *f = *state;
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct link_message message = {.version = LINK_VERSION, .kind = HANDOVER_LISTENERS};
    struct iovec piece = {&message, sizeof(message)};
    struct msghdr header = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    int ends[2];
    char byte;

    assert_int_equal(0, pipe(ends));
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &ends[1], sizeof(ends[1]));
    assert_int_equal(sizeof(message), sendmsg(f->asking, &header, 0));
    close(ends[1]);
    for (int i = 0; i < 4; i++)
        loop_turn(&f->loop, 0);
    assert_int_equal(0, read(ends[0], &byte, 1));
    close(ends[0]);
}

static void one_caller_too_many_is_turned_away(void **state)
{
    struct fixture *f = *state;
    int others[HANDOVER_CALLERS_MAX];
    int fd;

    for (int i = 0; i < HANDOVER_CALLERS_MAX; i++) {
        others[i] = connect_one(f);
        loop_turn(&f->loop, 0);
    }
    assert_int_equal(0, hear(others[HANDOVER_CALLERS_MAX - 1], &fd));
    assert_int_equal(-1, hear(others[HANDOVER_CALLERS_MAX - 2], &fd));
    close(others[0]);
    loop_turn(&f->loop, 0);
    loop_turn(&f->loop, 0);
    close(others[HANDOVER_CALLERS_MAX - 1]);
    others[HANDOVER_CALLERS_MAX - 1] = connect_one(f);
    loop_turn(&f->loop, 0);
    assert_int_equal(-1, hear(others[HANDOVER_CALLERS_MAX - 1], &fd));
    for (int i = 1; i < HANDOVER_CALLERS_MAX; i++)
        close(others[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_listening_sockets_are_handed_over, make, destroy),
        cmocka_unit_test_setup_teardown(it_drains_when_it_is_told_to, make, destroy),
        cmocka_unit_test_setup_teardown(both_verbs_work_on_one_connection, make, destroy),
        cmocka_unit_test_setup_teardown(
            another_verb_or_version_ends_the_connection_and_nothing_else, make, destroy),
        cmocka_unit_test_setup_teardown(a_descriptor_that_comes_along_is_closed, make, destroy),
        cmocka_unit_test_setup_teardown(one_caller_too_many_is_turned_away, make, destroy),
    };

    return cmocka_run_group_tests_name("proxy/handover", tests, NULL, NULL);
}
