/*
 * Children that are locked in, and what no process may that is: the tests of each jail run these
 * attempts and add their own.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attribute.h"
#include "base/jail.h"
#include "base/log.h"

/* What a child says with its exit status. */
enum { WENT_WELL = 0, NOT_ENTERED = 90, WENT_ON = 91, OTHER_ANSWER = 92, NOT_COUNTED = 93 };

/* A system call by number: what a filter sees. */
struct any_jail_attempt {
    const char *name;
    long number;
    unsigned long arguments[6];
    bool is_for_sanitizers; /* their wider list allows it */
};

static const struct any_jail_attempt any_jail_killing[] = {
    {"execve", SYS_execve, {0}, false},
    {"execveat", SYS_execveat, {0}, false},
    {"ptrace", SYS_ptrace, {0}, true},
    {"openat", SYS_openat, {0}, true},
#ifdef SYS_open
    {"open", SYS_open, {0}, true},
    {"creat", SYS_creat, {0}, false},
#endif
    {"openat2", SYS_openat2, {0}, false},
    {"open_by_handle_at", SYS_open_by_handle_at, {0}, false},
    {"a netlink socket", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, false},
    {"a packet socket", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, false},
    {"a vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}, false},
    {"a socket of the kernel's ciphers", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}, false},
    {"no family", SYS_socket, {AF_UNSPEC, SOCK_STREAM, 0}, false},
    {"two unix sockets", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0}, false},
    {"executable memory",
     SYS_mmap,
     {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1UL, 0},
     false},
    {"memory made executable", SYS_mprotect, {0, 4096, PROT_READ | PROT_EXEC}, false},
    {"memory with a key", SYS_pkey_mprotect, {0, 4096, PROT_READ, 0}, false},
    {"process_vm_readv", SYS_process_vm_readv, {1}, false},
    {"process_vm_writev", SYS_process_vm_writev, {1}, false},
    {"kill", SYS_kill, {1, 0}, false},
    {"tkill", SYS_tkill, {1, 0}, false},
    {"tgkill of another", SYS_tgkill, {1, 1, 0}, false},
    {"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {1, 0, 0}, false},
    {"pidfd_send_signal", SYS_pidfd_send_signal, {-1UL, 0, 0, 0}, false},
    {"pidfd_getfd", SYS_pidfd_getfd, {-1UL, 0, 0}, false},
};

static const struct any_jail_attempt any_jail_refused[] = {
    {"a new process", SYS_clone, {SIGCHLD}, true},
    {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1}, true},
    {"setuid", SYS_setuid, {0}, false},
    {"capset", SYS_capset, {0}, false},
    {"seccomp", SYS_seccomp, {0}, false},
    {"unlinkat", SYS_unlinkat, {0}, false},
    {"mkdirat", SYS_mkdirat, {0}, false},
    {"fchmodat", SYS_fchmodat, {0}, false},
    {"readlinkat", SYS_readlinkat, {0}, true},
    {"the state of a path", SYS_newfstatat, {0, 0, 0, 0}, true},
    {"chroot", SYS_chroot, {0}, false},
    {"mount", SYS_mount, {0}, false},
    {"unshare", SYS_unshare, {0}, false},
    {"setns", SYS_setns, {0}, false},
    {"bind", SYS_bind, {-1UL}, false},
    {"listen", SYS_listen, {-1UL}, false},
    {"a socket filter", SYS_setsockopt, {-1UL, SOL_SOCKET, SO_ATTACH_FILTER}, false},
    {"typing into a terminal", SYS_ioctl, {0, 0x5412 /* TIOCSTI */}, true},
    {"F_SETOWN", SYS_fcntl, {-1UL, F_SETOWN}, true},
    {"another's limits", SYS_prlimit64, {1, RLIMIT_NOFILE}, true},
    {"other limits", SYS_prlimit64, {0, RLIMIT_CORE}, true},
    {"memfd_create", SYS_memfd_create, {0}, false},
    {"io_uring_setup", SYS_io_uring_setup, {0}, false},
    {"bpf", SYS_bpf, {0}, false},
    {"userfaultfd", SYS_userfaultfd, {0}, false},
    {"perf_event_open", SYS_perf_event_open, {0}, false},
    {"keyctl", SYS_keyctl, {0}, false},
    {"init_module", SYS_init_module, {0}, false},
    {"shmget", SYS_shmget, {0}, false},
    {"a number no call has", 9999, {0}, false},
};

/* Locks this process in, or -errno. */
typedef int (*any_jail_enter_fn)(struct error *why);
typedef int (*any_jail_child_fn)(void *argument);

static inline void any_jail_enter_quietly(any_jail_enter_fn enter)
{
    struct error why = {0};

    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_INFO, LOG_LOGFMT);
    if (enter(&why) == 0)
        return;
    fprintf(stderr, "%s\n", why.text);
    _exit(NOT_ENTERED);
}

/* Runs `run` in a child that is locked in; how it ended. */
static inline int any_jail_run(any_jail_enter_fn enter, any_jail_child_fn run, void *argument)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        any_jail_enter_quietly(enter);
        _exit(run(argument));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static inline long any_jail_make(const struct any_jail_attempt *attempt)
{
    const unsigned long *a = attempt->arguments;

    return syscall(attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static inline int any_jail_try(void *argument)
{
    (void)!any_jail_make(argument);
    return WENT_ON;
}

static inline int any_jail_try_refused(void *argument)
{
    errno = 0;
    if (any_jail_make(argument) != -1 || errno != EPERM)
        return OTHER_ANSWER;
    return jail_refusals() == 1 ? WENT_WELL : NOT_COUNTED;
}

static inline void any_jail_expect_killed(any_jail_enter_fn enter,
                                          const struct any_jail_attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int status;

        if (JAIL_IS_WIDE && attempts[i].is_for_sanitizers)
            continue;
        status = any_jail_run(enter, any_jail_try, (void *)&attempts[i]);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: status 0x%x", attempts[i].name, (unsigned)status);
    }
}

/* ... and counted. */
static inline void any_jail_expect_refused(any_jail_enter_fn enter,
                                           const struct any_jail_attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int status;

        if (JAIL_IS_WIDE && attempts[i].is_for_sanitizers)
            continue;
        status = any_jail_run(enter, any_jail_try_refused, (void *)&attempts[i]);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != WENT_WELL)
            fail_msg("%s: status 0x%x", attempts[i].name, (unsigned)status);
    }
}
