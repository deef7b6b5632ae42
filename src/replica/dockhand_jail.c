#include "replica/dockhand_jail.h"

#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/attribute.h"
#include "base/jail.h"
#include "base/log.h"

/* Harmless with any argument. */
static const int calls[] = {
    /* The link, the Engine, the log. */
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

static const struct jail_rule rules[] = {
    {SCMP_SYS(socket),
     3,
     {JAIL_EQUALS(0, AF_UNIX), JAIL_HAS_BITS(1, JAIL_SOCKET_TYPE_MASK, SOCK_STREAM),
      JAIL_EQUALS(2, 0)}},
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
    {SCMP_SYS(prlimit64), 2, {JAIL_EQUALS(0, 0), JAIL_EQUALS(1, RLIMIT_NOFILE)}},
};

static const struct jail_list lists[] = {{calls, ARRAY_SIZE(calls)}};

static const int families[] = {AF_UNIX};

static const struct jail jail = {
    .lists = lists,
    .list_count = ARRAY_SIZE(lists),
    .rules = rules,
    .rule_count = ARRAY_SIZE(rules),
    .families = families,
    .family_count = ARRAY_SIZE(families),
};

int dockhand_jail_shed(struct error *why)
{
    return jail_drop_capabilities(UINT64_C(1) << CAP_DAC_OVERRIDE, why);
}

int dockhand_jail_enter(struct error *why)
{
    /* It takes its seed from a file, at its first object. */
    json_object_seed(0);
    return jail_enter(&jail, why);
}

void dockhand_jail_look(void)
{
    struct jail_refusal refusal;

    if (jail_next_refusal(&refusal))
        log_event(LOG_ERROR, "sandbox.refused", LOG_TEXT("call", refusal.name),
                  LOG_NUMBER("number", refusal.number), LOG_NUMBER("total", refusal.total));
}
