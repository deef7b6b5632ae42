#include "base/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
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

#include "base/clock.h"
#include "base/random.h"

/* The filter finds a call by halving, not by going through the list. */
#define OPTIMIZE_AS_TREE 2

/* ---- what is allowed ---- */

/* Harmless with any argument: what serving what one has got takes. */
static const int allowed_calls[] = {
    /* Sockets and files that are open, and waiting for them. */
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(connect),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(shutdown),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    /* Memory and time. */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(getrandom),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
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

static const struct jail_rule allowed_rules[] = {
    {SCMP_SYS(setsockopt), 2, {JAIL_EQUALS(1, SOL_SOCKET), JAIL_EQUALS(2, SO_LINGER)}},
    {SCMP_SYS(ioctl), 1, {JAIL_EQUALS(1, SIOCOUTQ)}},
    {SCMP_SYS(fcntl), 1, {JAIL_EQUALS(1, F_GETFL)}},
    {SCMP_SYS(fcntl), 1, {JAIL_EQUALS(1, F_SETFL)}},
    {SCMP_SYS(fcntl), 1, {JAIL_EQUALS(1, F_GETFD)}},
    {SCMP_SYS(fcntl), 1, {JAIL_EQUALS(1, F_SETFD)}},
    /* This is how some C libraries make fstat(). */
    {SCMP_SYS(newfstatat), 1, {JAIL_HAS_BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH)}},
    {SCMP_SYS(mmap), 1, {JAIL_HAS_BITS(2, PROT_EXEC, 0)}},
    {SCMP_SYS(mprotect), 1, {JAIL_HAS_BITS(2, PROT_EXEC, 0)}},
    /* How many descriptors there may be: its own limit. */
    {SCMP_SYS(prlimit64), 2, {JAIL_EQUALS(0, 0), JAIL_EQUALS(1, RLIMIT_NOFILE)}},
};

/* ---- what kills ---- */

/* Nothing of ours ever does this: whoever does has taken the process over. */
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

static const struct jail_rule killing_rules[] = {
    {SCMP_SYS(mmap), 1, {JAIL_HAS_BITS(2, PROT_EXEC, PROT_EXEC)}},
    {SCMP_SYS(mprotect), 1, {JAIL_HAS_BITS(2, PROT_EXEC, PROT_EXEC)}},
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
} common_lists[] = {
    {SCMP_ACT_ALLOW, allowed_calls, ARRAY_SIZE(allowed_calls)},
    {SCMP_ACT_KILL_PROCESS, killing_calls, ARRAY_SIZE(killing_calls)},
    {JAIL_IS_WIDE ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, wide_calls, ARRAY_SIZE(wide_calls)},
    {SCMP_ACT_ALLOW, wider_calls, JAIL_IS_WIDE ? ARRAY_SIZE(wider_calls) : 0},
};

/* ---- the filter ---- */

/* 0 where this architecture has no such call. */
static int add(scmp_filter_ctx filter, uint32_t action, const struct jail_rule *rule)
{
    if (rule->call < 0)
        return 0;
    return seccomp_rule_add_array(filter, action, rule->call, rule->count, rule->checks);
}

static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++)
        result = add(filter, action, &(struct jail_rule){.call = calls[i]});
    return result;
}

static int add_rules(scmp_filter_ctx filter, uint32_t action, const struct jail_rule *rules,
                     size_t count)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++)
        result = add(filter, action, &rules[i]);
    return result;
}

static int add_all(scmp_filter_ctx filter, const struct jail *jail)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(common_lists); i++)
        result =
            add_calls(filter, common_lists[i].action, common_lists[i].calls, common_lists[i].count);
    if (result == 0)
        result = add_rules(filter, SCMP_ACT_ALLOW, allowed_rules, ARRAY_SIZE(allowed_rules));
    if (result == 0)
        result = add_rules(filter, SCMP_ACT_ALLOW, jail->rules, jail->rule_count);
    if (result == 0)
        result = add_rules(filter, SCMP_ACT_KILL_PROCESS, killing_rules, ARRAY_SIZE(killing_rules));
    return result;
}

static bool has_family(const struct jail *jail, uint64_t family)
{
    for (size_t i = 0; i < jail->family_count; i++) {
        if ((uint64_t)jail->families[i] == family)
            return true;
    }
    return false;
}

/* socket() of any other family kills. A filter compares 64 bits where the kernel looks at 32: what
 * is above the last family kills too, whatever its lower half. */
static int add_families(scmp_filter_ctx filter, const struct jail *jail)
{
    struct jail_rule rule = {SCMP_SYS(socket), 1, {{0}}};
    uint64_t last = 0;
    int result;

    for (size_t i = 0; i < jail->family_count; i++)
        last = (uint64_t)jail->families[i] > last ? (uint64_t)jail->families[i] : last;
    rule.checks[0] = (struct scmp_arg_cmp){0, SCMP_CMP_GT, last, 0};
    result = add(filter, SCMP_ACT_KILL_PROCESS, &rule);
    for (uint64_t family = 0; result == 0 && family < last; family++) {
        rule.checks[0] = (struct scmp_arg_cmp)JAIL_EQUALS(0, family);
        if (!has_family(jail, family))
            result = add(filter, SCMP_ACT_KILL_PROCESS, &rule);
    }
    return result;
}

/* abort() signals its own process; signals to any other kill. */
static int add_signals(scmp_filter_ctx filter)
{
    const uint64_t own = (uint64_t)getpid();
    const struct jail_rule to_us = {SCMP_SYS(tgkill), 1, {JAIL_EQUALS(0, own)}};
    const struct jail_rule to_others = {SCMP_SYS(tgkill), 1, {{0, SCMP_CMP_NE, own, 0}}};
    int result = add(filter, SCMP_ACT_ALLOW, &to_us);

    return result < 0 ? result : add(filter, SCMP_ACT_KILL_PROCESS, &to_others);
}

static int fill(scmp_filter_ctx filter, const struct jail *jail)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_AS_TREE);
    if (result == 0)
        result = add_all(filter, jail);
    if (result == 0)
        result = add_families(filter, jail);
    return result == 0 ? add_signals(filter) : result;
}

static int load_filter(const struct jail *jail, struct error *why)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int result;

    if (!filter)
        return error_set(why, -ENOMEM, "seccomp: no filter could be made");
    result = fill(filter, jail);
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
#error "the jail knows x86-64 and arm64"
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

uint64_t jail_refusals(void)
{
    return (uint64_t)refusals;
}

bool jail_next_refusal(struct jail_refusal *refusal)
{
    static sig_atomic_t told;
    sig_atomic_t now = refusals;
    bool is_told = now != told && told < JAIL_REFUSALS_TOLD_MAX;
    char *name;

    told = now;
    if (LIKELY(!is_told))
        return false;
    name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, last_refused);
    *refusal = (struct jail_refusal){.number = last_refused, .total = (uint64_t)now};
    snprintf(refusal->name, sizeof(refusal->name), "%s", name ? name : "unknown");
    free(name);
    return true;
}

/* ---- privileges ---- */

int jail_drop_capabilities(uint64_t kept, struct error *why)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, data) < 0)
        return error_set(why, -errno, "capget: %s", strerror(errno));
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        data[i].permitted &= (uint32_t)(kept >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        syscall(SYS_capset, &header, data) < 0)
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

int jail_enter(const struct jail *jail, struct error *why)
{
    int result;

    prime();
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(why, -errno, "prctl: %s", strerror(errno));
    result = catch_refusals(why);
    return result < 0 ? result : load_filter(jail, why);
}
