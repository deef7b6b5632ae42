#include "proxy/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/attribute.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

/* Refusals that are logged one by one. */
#define REFUSALS_LOGGED_MAX 20

/* Bits of socket()'s second argument that are the type. */
#define SOCKET_TYPE_MASK 0xf

/* The filter finds a call by halving, not by going through the list. */
#define OPTIMIZE_AS_TREE 2

/* ---- the lists ---- */

/* Made for every request. Some do not exist on every architecture: their number is negative. */
static const int hot_calls[] = {
    SCMP_SYS(recvfrom),    SCMP_SYS(sendto),        SCMP_SYS(sendmsg), SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),     SCMP_SYS(accept4), SCMP_SYS(close),
    SCMP_SYS(connect),     SCMP_SYS(getsockopt),    SCMP_SYS(read),    SCMP_SYS(write),
    SCMP_SYS(shutdown),    SCMP_SYS(clock_gettime),
};

/* Harmless with any argument. */
static const int other_calls[] = {
    /* The link, the access log, messages of the C library. */
    SCMP_SYS(recvmsg),
    SCMP_SYS(writev),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(fstat),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(epoll_pwait2),
    /* Memory. */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(getrandom),
    SCMP_SYS(futex),
    SCMP_SYS(gettimeofday),
    /* Signals, and how a process ends, be it by abort(). */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* A call and what its arguments must be, at most one check for each. */
struct rule {
    int call;
    unsigned count;
    struct scmp_arg_cmp checks[3];
};

#define EQUALS(argument, value)                                                                    \
    {                                                                                              \
        (argument), SCMP_CMP_EQ, (uint64_t)(value), 0                                              \
    }
#define HAS_BITS(argument, mask, set)                                                              \
    {                                                                                              \
        (argument), SCMP_CMP_MASKED_EQ, (mask), (uint64_t)(set)                                    \
    }

static const struct rule checked_calls[] = {
    {SCMP_SYS(socket),
     3,
     {EQUALS(0, AF_INET), HAS_BITS(1, SOCKET_TYPE_MASK, SOCK_STREAM), EQUALS(2, 0)}},
    {SCMP_SYS(socket),
     3,
     {EQUALS(0, AF_INET6), HAS_BITS(1, SOCKET_TYPE_MASK, SOCK_STREAM), EQUALS(2, 0)}},
    {SCMP_SYS(setsockopt), 2, {EQUALS(1, IPPROTO_TCP), EQUALS(2, TCP_NODELAY)}},
    {SCMP_SYS(setsockopt), 2, {EQUALS(1, IPPROTO_TCP), EQUALS(2, TCP_QUICKACK)}},
    {SCMP_SYS(setsockopt), 2, {EQUALS(1, SOL_SOCKET), EQUALS(2, SO_LINGER)}},
    {SCMP_SYS(ioctl), 1, {EQUALS(1, SIOCOUTQ)}},
    {SCMP_SYS(fcntl), 1, {EQUALS(1, F_GETFL)}},
    {SCMP_SYS(fcntl), 1, {EQUALS(1, F_SETFL)}},
    {SCMP_SYS(fcntl), 1, {EQUALS(1, F_GETFD)}},
    {SCMP_SYS(fcntl), 1, {EQUALS(1, F_SETFD)}},
    {SCMP_SYS(fcntl), 1, {EQUALS(1, F_GET_SEALS)}},
    /* This is how some C libraries make fstat(). */
    {SCMP_SYS(newfstatat), 1, {HAS_BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH)}},
    {SCMP_SYS(mmap), 1, {HAS_BITS(2, PROT_EXEC, 0)}},
    {SCMP_SYS(mprotect), 1, {HAS_BITS(2, PROT_EXEC, 0)}},
    /* How many descriptors there may be, asked anew with each table. */
    {SCMP_SYS(prlimit64), 2, {EQUALS(0, 0), EQUALS(1, RLIMIT_NOFILE)}},
};

/* Nothing of ours ever does this: whoever does has taken the worker over. */
static const int killing_calls[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo),
    SCMP_SYS(socketpair),
    SCMP_SYS(pkey_mprotect),
    SCMP_SYS(creat),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(openat2),
};

static const struct rule killing_rules[] = {
    {SCMP_SYS(mmap), 1, {HAS_BITS(2, PROT_EXEC, PROT_EXEC)}},
    {SCMP_SYS(mprotect), 1, {HAS_BITS(2, PROT_EXEC, PROT_EXEC)}},
};

/* They kill too, but where a sanitizer needs them. */
static const int wide_calls[] = {
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(ptrace),
};

/* What a sanitizer needs besides: to read its own /proc, to report, to look for leaks at the end.
 */
static const int wider_calls[] = {
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(getdents),
    SCMP_SYS(getdents64),
    SCMP_SYS(clone),
    SCMP_SYS(wait4),
    SCMP_SYS(prctl),
    SCMP_SYS(getppid),
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(getrlimit),
    SCMP_SYS(setrlimit),
    SCMP_SYS(ioctl),
    SCMP_SYS(fcntl),
    SCMP_SYS(prlimit64),
    SCMP_SYS(arch_prctl),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(uname),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getcwd),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
};

/* What becomes of each list. */
static const struct {
    uint32_t action;
    const int *calls;
    size_t count;
} call_lists[] = {
    {SCMP_ACT_ALLOW, hot_calls, ARRAY_SIZE(hot_calls)},
    {SCMP_ACT_ALLOW, other_calls, ARRAY_SIZE(other_calls)},
    {SCMP_ACT_KILL_PROCESS, killing_calls, ARRAY_SIZE(killing_calls)},
    {SANDBOX_IS_WIDE ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, wide_calls, ARRAY_SIZE(wide_calls)},
    {SCMP_ACT_ALLOW, wider_calls, SANDBOX_IS_WIDE ? ARRAY_SIZE(wider_calls) : 0},
};

static const struct {
    uint32_t action;
    const struct rule *rules;
    size_t count;
} rule_lists[] = {
    {SCMP_ACT_ALLOW, checked_calls, ARRAY_SIZE(checked_calls)},
    {SCMP_ACT_KILL_PROCESS, killing_rules, ARRAY_SIZE(killing_rules)},
};

/* ---- the filter ---- */

/* 0 where this architecture has no such call. */
static int add(scmp_filter_ctx filter, uint32_t action, const struct rule *rule)
{
    if (rule->call < 0)
        return 0;
    return seccomp_rule_add_array(filter, action, rule->call, rule->count, rule->checks);
}

static int add_calls(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < ARRAY_SIZE(call_lists); i++) {
        for (size_t j = 0; j < call_lists[i].count; j++) {
            const struct rule rule = {.call = call_lists[i].calls[j]};
            int result = add(filter, call_lists[i].action, &rule);

            if (result < 0)
                return result;
        }
    }
    return 0;
}

static int add_rules(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < ARRAY_SIZE(rule_lists); i++) {
        for (size_t j = 0; j < rule_lists[i].count; j++) {
            int result = add(filter, rule_lists[i].action, &rule_lists[i].rules[j]);

            if (result < 0)
                return result;
        }
    }
    return 0;
}

/* socket() of any other family kills. A filter compares 64 bits where the kernel looks at 32: what
 * is above the last family kills too, whatever its lower half. */
static int add_families(scmp_filter_ctx filter)
{
    struct rule rule = {SCMP_SYS(socket), 1, {{0, SCMP_CMP_GT, AF_INET6, 0}}};
    int result = add(filter, SCMP_ACT_KILL_PROCESS, &rule);

    for (uint64_t family = 0; result == 0 && family < AF_INET6; family++) {
        rule.checks[0] = (struct scmp_arg_cmp)EQUALS(0, family);
        if (family != AF_INET)
            result = add(filter, SCMP_ACT_KILL_PROCESS, &rule);
    }
    return result;
}

/* abort() signals its own process; signals to any other kill. */
static int add_signals(scmp_filter_ctx filter)
{
    const uint64_t own = (uint64_t)getpid();
    const struct rule to_us = {SCMP_SYS(tgkill), 1, {EQUALS(0, own)}};
    const struct rule to_others = {SCMP_SYS(tgkill), 1, {{0, SCMP_CMP_NE, own, 0}}};
    int result = add(filter, SCMP_ACT_ALLOW, &to_us);

    return result < 0 ? result : add(filter, SCMP_ACT_KILL_PROCESS, &to_others);
}

static int fill(scmp_filter_ctx filter)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_AS_TREE);
    if (result == 0)
        result = add_calls(filter);
    if (result == 0)
        result = add_rules(filter);
    if (result == 0)
        result = add_families(filter);
    return result == 0 ? add_signals(filter) : result;
}

static int load_filter(struct error *why)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int result;

    if (!filter)
        return error_set(why, -ENOMEM, "seccomp: no filter could be made");
    result = fill(filter);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result == 0 ? 0 : error_set(why, result, "seccomp: %s", strerror(-result));
}

/* ---- refusals ---- */

static volatile sig_atomic_t refusals; /* read by the loop, written by the handler */
static volatile sig_atomic_t last_refused;

/* The kernel did not make the call and says so here: the caller gets EPERM. */
static void on_refusal(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *registers = context;

    (void)signal_number;
    refusals++;
    last_refused = info->si_syscall;
#if defined(__x86_64__)
    registers->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
    registers->uc_mcontext.regs[0] = (uint64_t)-EPERM;
#else
#error "the sandbox knows x86-64 and arm64"
#endif
}

static int catch_refusals(struct error *why)
{
    struct sigaction action = {.sa_sigaction = on_refusal, .sa_flags = SA_SIGINFO | SA_NODEFER};

    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSYS, &action, NULL) < 0)
        return error_set(why, -errno, "sigaction SIGSYS: %s", strerror(errno));
    return 0;
}

uint64_t sandbox_refusals(void)
{
    static sig_atomic_t logged;
    sig_atomic_t now = refusals;
    char *name;

    if (LIKELY(now == logged))
        return (uint64_t)now;
    if (logged < REFUSALS_LOGGED_MAX) {
        name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, last_refused);
        log_event(LOG_ERROR, "sandbox.refused", LOG_TEXT("call", name ? name : "unknown"),
                  LOG_NUMBER("number", last_refused), LOG_NUMBER("total", now));
        free(name);
    }
    logged = now;
    return (uint64_t)now;
}

/* ---- privileges ---- */

static int change_user(struct error *why)
{
    if (geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) == 0 && setresgid(SANDBOX_GID, SANDBOX_GID, SANDBOX_GID) == 0 &&
        setresuid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID) == 0)
        return 0;
    if (errno != EPERM && errno != EINVAL)
        return error_set(why, -errno, "user %d: %s", SANDBOX_UID, strerror(errno));
    log_event(LOG_WARN, "sandbox.root",
              LOG_TEXT("reason", "no right to become another user: stays without capabilities"));
    return 0;
}

static int drop_capabilities(struct error *why)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        syscall(SYS_capset, &header, none) < 0)
        return error_set(why, -errno, "dropping capabilities: %s", strerror(errno));
    return 0;
}

/* What libraries do once and could not do later: the time zone is a file, the seed a system call.
 */
static void prime(void)
{
    char text[CLOCK_TEXT_BYTES];

    clock_to_text(clock_wall_ms(), text);
    (void)random_next();
}

int sandbox_enter(struct error *why)
{
    int result = change_user(why);

    prime();
    if (result == 0)
        result = drop_capabilities(why);
    if (result < 0)
        return result;
    /* After the change of user, which resets it. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(why, -errno, "prctl: %s", strerror(errno));
    result = catch_refusals(why);
    return result < 0 ? result : load_filter(why);
}
