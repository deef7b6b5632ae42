/* What a dockhand may still do when it is locked in. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/sock.h"
#include "replica/dockhand_jail.h"

/* What a child says with its exit status. */
enum { WENT_WELL = 0, NOT_ENTERED = 90, WENT_ON = 91, OTHER_ANSWER = 92 };

/* A system call by number: what a filter sees. */
struct attempt {
    const char *name;
    long number;
    unsigned long arguments[6];
    bool is_for_sanitizers; /* their wider list allows it */
};

static const struct attempt killing[] = {
    {"execve", SYS_execve, {0}, false},
    {"execveat", SYS_execveat, {0}, false},
    {"ptrace", SYS_ptrace, {0}, true},
    {"openat", SYS_openat, {0}, true},
    {"openat2", SYS_openat2, {0}, false},
    {"open_by_handle_at", SYS_open_by_handle_at, {0}, false},
    {"an IPv4 socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}, false},
    {"an IPv6 socket", SYS_socket, {AF_INET6, SOCK_STREAM, 0}, false},
    {"a netlink socket", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, false},
    {"a packet socket", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, false},
    {"a vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}, false},
    {"no family", SYS_socket, {AF_UNSPEC, SOCK_STREAM, 0}, false},
    {"an IPv4 socket in 64 bits", SYS_socket, {AF_INET | 1UL << 32, SOCK_STREAM, 0}, false},
    {"two unix sockets", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0}, false},
    {"memory made executable", SYS_mprotect, {0, 4096, PROT_READ | PROT_EXEC}, false},
    {"process_vm_writev", SYS_process_vm_writev, {1}, false},
    {"kill", SYS_kill, {1, 0}, false},
    {"tgkill of another", SYS_tgkill, {1, 1, 0}, false},
    {"pidfd_getfd", SYS_pidfd_getfd, {-1UL, 0, 0}, false},
};

static const struct attempt refused[] = {
    {"a new process", SYS_clone, {SIGCHLD}, true},
    {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1}, true},
    {"setuid", SYS_setuid, {0}, false},
    {"mount", SYS_mount, {0}, false},
    {"unshare", SYS_unshare, {0}, false},
    {"setns", SYS_setns, {0}, false},
    {"chroot", SYS_chroot, {0}, false},
    {"unlinkat", SYS_unlinkat, {0}, false},
    {"mkdirat", SYS_mkdirat, {0}, false},
    {"fchmodat", SYS_fchmodat, {0}, false},
    {"bind", SYS_bind, {-1UL}, false},
    {"listen", SYS_listen, {-1UL}, false},
    {"a datagram socket", SYS_socket, {AF_UNIX, SOCK_DGRAM, 0}, false},
    {"bpf", SYS_bpf, {0}, false},
    {"io_uring_setup", SYS_io_uring_setup, {0}, false},
    {"init_module", SYS_init_module, {0}, false},
};

static long make(const struct attempt *attempt)
{
    const unsigned long *a = attempt->arguments;

    return syscall(attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- children ---- */

typedef int (*child_fn)(void *argument);

/* Runs `run` in a child that is locked in; how it ended. */
static int in_jail(child_fn run, void *argument)
{
    pid_t pid = fork();
    struct error why = {0};
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_INFO, LOG_LOGFMT);
        if (dockhand_jail_shed(&why) < 0 || dockhand_jail_enter(&why) < 0)
            _exit(NOT_ENTERED);
        _exit(run(argument));
    }
    assert_int_equal(pid, waitpid(pid, &status, 0));
    return status;
}

static int try_it(void *argument)
{
    (void)!make(argument);
    return WENT_ON;
}

static int try_to_be_refused(void *argument)
{
    errno = 0;
    return make(argument) == -1 && errno == EPERM && jail_refusals() == 1 ? WENT_WELL
                                                                          : OTHER_ANSWER;
}

static void what_only_an_intruder_does_kills(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(killing); i++) {
        int status;

        if (JAIL_IS_WIDE && killing[i].is_for_sanitizers)
            continue;
        status = in_jail(try_it, (void *)&killing[i]);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: status 0x%x", killing[i].name, (unsigned)status);
    }
}

static void anything_else_is_refused_and_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        int status;

        if (JAIL_IS_WIDE && refused[i].is_for_sanitizers)
            continue;
        status = in_jail(try_to_be_refused, (void *)&refused[i]);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != WENT_WELL)
            fail_msg("%s: status 0x%x", refused[i].name, (unsigned)status);
    }
}

static int refuse_and_look(void *argument)
{
    const int *fd = argument;

    log_open(*fd, LOG_INFO, LOG_LOGFMT);
    (void)!syscall(SYS_setuid, 0);
    dockhand_jail_look();
    dockhand_jail_look();
    return WENT_WELL;
}

static void a_refusal_is_logged_once_by_name(void **state)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    char text[4096] = "";

    (void)state;
    assert_int_equal(WENT_WELL, in_jail(refuse_and_look, &fd));
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "level=error event=sandbox.refused call=setuid number="));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    close(fd);
}

/* ---- what must go on ---- */

struct talk {
    struct loop loop;
    struct sock_group group;
    struct sock sock;
    struct address address;
    bool is_done;
};

static void on_bytes(struct sock *sock, struct view bytes)
{
    CONTAINER_OF(sock, struct talk, sock)->is_done = view_equals(bytes, VIEW("hello"));
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

static const struct sock_events sock_events = {
    .on_bytes = on_bytes, .on_connected = on_connected, .on_reset = on_reset};

static int ask(void *argument)
{
    struct talk *talk = argument;
    json_t *root = json_pack("{s:s}", "a", "b");
    char *text = json_dumps(root, JSON_COMPACT);
    char *large = memory_allocate(16u << 20);

    large[0] = text[0];
    free(large);
    free(text);
    json_decref(root);
    sock_group_init(&talk->group, &talk->loop, 1 << 20);
    if (sock_connect(&talk->sock, &talk->group, &talk->address, 0, &sock_events) < 0)
        return OTHER_ANSWER;
    for (unsigned i = 0; i < 1000 && !talk->is_done; i++)
        loop_turn(&talk->loop, 10000);
    sock_abort(&talk->sock, on_gone);
    loop_turn(&talk->loop, 0);
    log_event(LOG_INFO, "test", LOG_NUMBER("now", clock_now_us()));
    return talk->is_done && jail_refusals() == 0 ? WENT_WELL : OTHER_ANSWER;
}

/* Says back what the first caller says. */
static pid_t start_echo(int listener)
{
    pid_t pid = fork();

    if (pid == 0) {
        char bytes[16];
        ssize_t size;
        int fd;

        alarm(10); /* nobody may come */
        fd = accept(listener, NULL, NULL);
        size = read(fd, bytes, sizeof(bytes));
        _exit(size > 0 && write(fd, bytes, (size_t)size) == size ? 0 : 1);
    }
    return pid;
}

static void a_dockhand_still_reaches_a_unix_socket(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof(name);
    static struct talk talk;
    pid_t echo;

    (void)state;
    snprintf(name.sun_path, sizeof(name.sun_path), "/tmp/roost-jail-test-%d", (int)getpid());
    unlink(name.sun_path);
    assert_int_equal(0, bind(listener, (struct sockaddr *)&name, size));
    assert_int_equal(0, listen(listener, 1));
    echo = start_echo(listener);
    assert_int_equal(0, loop_init(&talk.loop, NULL));
    talk.address.un = name;
    talk.address.size = size;
    assert_int_equal(WENT_WELL, in_jail(ask, &talk));
    loop_finish(&talk.loop);
    assert_int_equal(echo, waitpid(echo, NULL, 0));
    unlink(name.sun_path);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_only_an_intruder_does_kills),
        cmocka_unit_test(anything_else_is_refused_and_counted),
        cmocka_unit_test(a_refusal_is_logged_once_by_name),
        cmocka_unit_test(a_dockhand_still_reaches_a_unix_socket),
    };

    return cmocka_run_group_tests_name("replica/dockhand_jail", tests, NULL, NULL);
}
