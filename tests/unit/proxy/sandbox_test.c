#include "../base/any_jail.h"

#include <linux/capability.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "base/random.h"
#include "net/listener.h"
#include "net/sock.h"
#include "proxy/access_log.h"
#include "proxy/link.h"
#include "proxy/sandbox.h"
#include "proxy/segments.h"
#include "proxy/table.h"

#define NOBODY 65534

/* ---- what no worker may ---- */

static const struct any_jail_attempt killing[] = {
    {"a unix socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, false},
    {"a unix socket in 64 bits", SYS_socket, {AF_UNIX | 1UL << 32, SOCK_STREAM, 0}, false},
};

static const struct any_jail_attempt refused[] = {
    {"a UDP socket", SYS_socket, {AF_INET, SOCK_DGRAM, 0}, false},
    {"a raw socket", SYS_socket, {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6}, false},
    {"another stream protocol", SYS_socket, {AF_INET, SOCK_STREAM, IPPROTO_SCTP}, false},
};

/* Runs `run` in a child that has entered the sandbox; how it ended. */
static int in_sandbox(any_jail_child_fn run, void *argument)
{
    return any_jail_run(sandbox_enter, run, argument);
}

static void what_only_an_intruder_does_kills(void **state)
{
    (void)state;
    any_jail_expect_killed(sandbox_enter, any_jail_killing, ARRAY_SIZE(any_jail_killing));
    any_jail_expect_killed(sandbox_enter, killing, ARRAY_SIZE(killing));
}

static void anything_else_is_refused_and_counted(void **state)
{
    (void)state;
    any_jail_expect_refused(sandbox_enter, any_jail_refused, ARRAY_SIZE(any_jail_refused));
    any_jail_expect_refused(sandbox_enter, refused, ARRAY_SIZE(refused));
}

static int refuse_often(void *argument)
{
    const int *fd = argument;

    log_open(*fd, LOG_INFO, LOG_LOGFMT);
    for (unsigned i = 0; i < 100; i++) {
        (void)!syscall(SYS_setuid, 0);
        if (sandbox_refusals() != i + 1)
            return NOT_COUNTED;
    }
    return WENT_WELL;
}

static void the_first_refusals_are_logged_by_name(void **state)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    int status = in_sandbox(refuse_often, &fd);
    char text[16384] = "";
    unsigned lines = 0;

    (void)state;
    assert_int_equal(status, WENT_WELL);
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "level=error event=sandbox.refused call=setuid number="));
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 20);
    close(fd);
}

/* ---- what must go on ---- */

/* What a worker got before it entered. */
struct tools {
    struct loop loop;
    struct address address; /* of the listener */
    int listener_fd;
    int table_fd;
    int counts_fd;
    int log_fd;
    int link_fds[2];
};

#define INSIST(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            dprintf(STDERR_FILENO, "line %d: %s (errno %d)\n", __LINE__, #condition, errno);       \
            return OTHER_ANSWER;                                                                   \
        }                                                                                          \
    } while (0)

static int use_memory(void *argument)
{
    enum { MANY = 64 };
    char *parts[MANY];
    char *large = NULL;

    (void)argument;
    for (unsigned i = 0; i < MANY; i++) {
        parts[i] = memory_allocate(i * 9973 + 1);
        large = memory_resize(large, (size_t)(i + 1) * 300000);
        large[(size_t)(i + 1) * 300000 - 1] = 1;
    }
    for (unsigned i = 0; i < MANY; i++)
        free(parts[i]);
    free(large);
    INSIST(clock_now_us() > 0);
    random_seed(random_next());
    log_event(LOG_INFO, "test", LOG_NUMBER("number", random_next()));
    INSIST(descriptor_raise_limit() > 0);
    INSIST(sandbox_refusals() == 0);
    return WENT_WELL;
}

static int use_link(const struct tools *tools)
{
    int end = tools->link_fds[0];
    struct msghdr empty = {0};

    INSIST(descriptor_set_nonblocking(end, true) == 0);
    INSIST(recvmsg(end, &empty, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    INSIST(sendmsg(end, &empty, MSG_DONTWAIT | MSG_NOSIGNAL) == 0);
    return WENT_WELL;
}

static int use_files(void *argument)
{
    const struct tools *tools = argument;
    const struct access_record record = {.path = VIEW("/"), .status = 200};
    const struct table *table;
    struct count_segment *counts;
    struct access_log log;
    struct error why = {0};

    INSIST(table_map(tools->table_fd, &table, &why) == 0);
    INSIST(table->epoch == 7);
    table_unmap(table);
    INSIST(segments_map_counts(tools->counts_fd, &counts, &why) == 0);
    SEGMENTS_ADD(counts->turns, 1);
    segments_unmap_counts(counts);
    access_log_init(&log, tools->log_fd, ACCESS_JSON);
    access_log_add(&log, &record, clock_wall_ms());
    access_log_finish(&log);
    INSIST(log.dropped == 0);
    INSIST(use_link(tools) == WENT_WELL);
    INSIST(sandbox_refusals() == 0);
    return WENT_WELL;
}

struct talk {
    struct sock_group group;
    struct listener listener;
    struct sock out;
    struct sock in;
    bool is_done;
};

static void on_in_bytes(struct sock *sock, struct view bytes)
{
    sock_write(sock, bytes);
    sock_shut(sock);
}

static void on_out_bytes(struct sock *sock, struct view bytes)
{
    CONTAINER_OF(sock, struct talk, out)->is_done = view_equals(bytes, VIEW("hello"));
}

static void on_connected(struct sock *sock)
{
    sock_write(sock, VIEW("hello"));
}

static void on_reset(struct sock *sock, int error)
{
    (void)sock;
    (void)error;
}

static void on_gone(struct sock *sock)
{
    (void)sock;
}

static const struct sock_events in_events = {.on_bytes = on_in_bytes, .on_reset = on_reset};
static const struct sock_events out_events = {
    .on_bytes = on_out_bytes,
    .on_connected = on_connected,
    .on_reset = on_reset,
};

static void on_accept(struct listener *listener, int fd, const struct address *client)
{
    struct talk *talk = listener->owner;

    (void)client;
    sock_adopt(&talk->in, &talk->group, fd, &in_events);
}

static int serve(void *argument)
{
    struct tools *tools = argument;
    struct loop *loop = &tools->loop;
    static struct talk talk;

    sock_group_init(&talk.group, loop, 1 << 20);
    INSIST(listener_start(&talk.listener, loop, tools->listener_fd, on_accept, &talk) == 0);
    INSIST(sock_connect(&talk.out, &talk.group, &tools->address, 65536, &out_events) == 0);
    for (unsigned i = 0; i < 1000 && !talk.is_done; i++)
        loop_turn(loop, 10000);
    INSIST(talk.is_done);
    sock_close(&talk.in, true, on_gone);
    sock_abort(&talk.out, on_gone);
    loop_turn(loop, 0);
    listener_stop(&talk.listener);
    INSIST(sandbox_refusals() == 0);
    return WENT_WELL;
}

static void prepare(struct tools *tools)
{
    const struct table_spec spec = {.epoch = 7};
    const struct count_segment *counts;
    struct error why = {0};

    assert_int_equal(address_from_text(VIEW("127.0.0.1:0"), &tools->address, &why), 0);
    tools->listener_fd = listener_open(&tools->address, false, &why);
    assert_true(tools->listener_fd >= 0);
    assert_int_equal(table_build(&spec, &tools->table_fd, &why), 0);
    assert_int_equal(segments_create_counts(&tools->counts_fd, &counts, &why), 0);
    segments_unmap_counts(counts);
    tools->log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_int_equal(link_pair(tools->link_fds, &why), 0);
    assert_int_equal(loop_init(&tools->loop, &why), 0);
}

static void clear_away(struct tools *tools)
{
    loop_finish(&tools->loop);
    close(tools->listener_fd);
    close(tools->table_fd);
    close(tools->counts_fd);
    close(tools->log_fd);
    close(tools->link_fds[0]);
    close(tools->link_fds[1]);
}

static void a_worker_goes_on_working(void **state)
{
    struct tools tools;

    (void)state;
    prepare(&tools);
    assert_int_equal(in_sandbox(use_memory, NULL), WENT_WELL);
    assert_int_equal(in_sandbox(use_files, &tools), WENT_WELL);
    assert_int_equal(in_sandbox(serve, &tools), WENT_WELL);
    clear_away(&tools);
}

static int do_abort(void *argument)
{
    (void)argument;
    abort();
}

static void a_failed_assertion_still_ends_a_worker_as_such(void **state)
{
    int status = in_sandbox(do_abort, NULL);

    (void)state;
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ---- privileges ---- */

typedef void (*before_fn)(void);

static void become_nobody(void)
{
    if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
        _exit(NOT_ENTERED);
}

/* A container or a namespace may not let us, or not know the user. */
static bool can_become(unsigned uid)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0);
    waitpid(pid, &status, 0);
    return status == 0;
}

static void lose_the_right_to_change_user(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, data) < 0)
        _exit(NOT_ENTERED);
    data[0].effective &= ~(1u << CAP_SETUID | 1u << CAP_SETGID);
    data[0].permitted = data[0].effective;
    data[0].inheritable = 0;
    if (syscall(SYS_capset, &header, data) < 0)
        _exit(NOT_ENTERED);
}

static bool has_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);

    return at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n';
}

static bool has_ids(const char *status, const char *what, unsigned id)
{
    char line[100];

    snprintf(line, sizeof(line), "%s:\t%u\t%u\t%u\t%u", what, id, id, id, id);
    return has_line(status, line);
}

/* What /proc says of a child that entered after `before`, and who owns its files there. */
static void read_status(before_fn before, char *text, size_t capacity, uid_t *owner)
{
    char path[64];
    struct stat entry;
    int told[2];
    pid_t pid;
    char byte;
    int fd;

    assert_int_equal(pipe(told), 0);
    pid = fork();
    if (pid == 0) {
        if (before)
            before();
        any_jail_enter_quietly(sandbox_enter);
        (void)!write(told[1], "x", 1);
        for (;;)
            poll(NULL, 0, -1);
    }
    close(told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    assert_int_equal(stat(path, &entry), 0);
    *owner = entry.st_uid;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    fd = open(path, O_RDONLY);
    memset(text, 0, capacity);
    assert_true(read(fd, text, capacity - 1) > 0);
    close(fd);
    close(told[0]);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void check_locked(const char *text, uid_t owner)
{
    assert_true(has_line(text, "NoNewPrivs:\t1"));
    assert_true(has_line(text, "Seccomp:\t2"));
    assert_true(has_line(text, "CapInh:\t0000000000000000"));
    assert_true(has_line(text, "CapPrm:\t0000000000000000"));
    assert_true(has_line(text, "CapEff:\t0000000000000000"));
    assert_true(has_line(text, "CapAmb:\t0000000000000000"));
    /* The files of a process that may not be dumped are root's. */
    assert_int_equal(owner, 0);
}

static void root_becomes_somebody_without_rights(void **state)
{
    char text[8192];
    uid_t owner;

    (void)state;
    if (geteuid() != 0 || !can_become(SANDBOX_UID))
        skip();
    read_status(NULL, text, sizeof(text), &owner);
    check_locked(text, owner);
    assert_true(has_ids(text, "Uid", SANDBOX_UID));
    assert_true(has_ids(text, "Gid", SANDBOX_GID));
    assert_true(has_line(text, "Groups:\t ") || has_line(text, "Groups:\t"));
}

static void anybody_else_stays_who_he_is(void **state)
{
    unsigned uid = geteuid() == 0 ? NOBODY : geteuid();
    char text[8192];
    uid_t owner;

    (void)state;
    if (!can_become(uid))
        skip();
    read_status(geteuid() == 0 ? become_nobody : NULL, text, sizeof(text), &owner);
    check_locked(text, owner);
    assert_true(has_ids(text, "Uid", uid));
}

static void root_that_may_not_change_user_loses_its_capabilities(void **state)
{
    char text[8192];
    uid_t owner;

    (void)state;
    if (geteuid() != 0)
        skip();
    read_status(lose_the_right_to_change_user, text, sizeof(text), &owner);
    check_locked(text, owner);
    assert_true(has_ids(text, "Uid", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_only_an_intruder_does_kills),
        cmocka_unit_test(anything_else_is_refused_and_counted),
        cmocka_unit_test(the_first_refusals_are_logged_by_name),
        cmocka_unit_test(a_worker_goes_on_working),
        cmocka_unit_test(a_failed_assertion_still_ends_a_worker_as_such),
        cmocka_unit_test(root_becomes_somebody_without_rights),
        cmocka_unit_test(anybody_else_stays_who_he_is),
        cmocka_unit_test(root_that_may_not_change_user_loses_its_capabilities),
    };

    return cmocka_run_group_tests_name("proxy/sandbox", tests, NULL, NULL);
}
