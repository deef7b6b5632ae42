#include "proxy/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attribute.h"
#include "base/jail.h"
#include "base/log.h"

/* ---- the lists ---- */

/* Made for every request. */
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

static const struct jail_rule checked_calls[] = {
    {SCMP_SYS(socket),
     3,
     {JAIL_EQUALS(0, AF_INET), JAIL_HAS_BITS(1, JAIL_SOCKET_TYPE_MASK, SOCK_STREAM),
      JAIL_EQUALS(2, 0)}},
    {SCMP_SYS(socket),
     3,
     {JAIL_EQUALS(0, AF_INET6), JAIL_HAS_BITS(1, JAIL_SOCKET_TYPE_MASK, SOCK_STREAM),
      JAIL_EQUALS(2, 0)}},
    {SCMP_SYS(setsockopt), 2, {JAIL_EQUALS(1, IPPROTO_TCP), JAIL_EQUALS(2, TCP_NODELAY)}},
    {SCMP_SYS(setsockopt), 2, {JAIL_EQUALS(1, IPPROTO_TCP), JAIL_EQUALS(2, TCP_QUICKACK)}},
    {SCMP_SYS(setsockopt), 2, {JAIL_EQUALS(1, SOL_SOCKET), JAIL_EQUALS(2, SO_LINGER)}},
    {SCMP_SYS(setsockopt), 2, {JAIL_EQUALS(1, SOL_SOCKET), JAIL_EQUALS(2, SO_RCVBUF)}},
    {SCMP_SYS(ioctl), 1, {JAIL_EQUALS(1, SIOCOUTQ)}},
    {SCMP_SYS(fcntl), 1, {JAIL_EQUALS(1, F_GETFL)}},
    {SCMP_SYS(fcntl), 1, {JAIL_EQUALS(1, F_SETFL)}},
    {SCMP_SYS(fcntl), 1, {JAIL_EQUALS(1, F_GETFD)}},
    {SCMP_SYS(fcntl), 1, {JAIL_EQUALS(1, F_SETFD)}},
    {SCMP_SYS(fcntl), 1, {JAIL_EQUALS(1, F_GET_SEALS)}},
    /* This is how some C libraries make fstat(). */
    {SCMP_SYS(newfstatat), 1, {JAIL_HAS_BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH)}},
    {SCMP_SYS(mmap), 1, {JAIL_HAS_BITS(2, PROT_EXEC, 0)}},
    {SCMP_SYS(mprotect), 1, {JAIL_HAS_BITS(2, PROT_EXEC, 0)}},
    /* How many descriptors there may be, asked anew with each table. */
    {SCMP_SYS(prlimit64), 2, {JAIL_EQUALS(0, 0), JAIL_EQUALS(1, RLIMIT_NOFILE)}},
};

static const struct jail_list lists[] = {
    {hot_calls, ARRAY_SIZE(hot_calls)},
    {other_calls, ARRAY_SIZE(other_calls)},
};

static const int families[] = {AF_INET, AF_INET6};

static const struct jail jail = {
    .lists = lists,
    .list_count = ARRAY_SIZE(lists),
    .rules = checked_calls,
    .rule_count = ARRAY_SIZE(checked_calls),
    .families = families,
    .family_count = ARRAY_SIZE(families),
};

/* ---- refusals ---- */

uint64_t sandbox_refusals(void)
{
    struct jail_refusal refusal;

    if (UNLIKELY(jail_next_refusal(&refusal)))
        log_event(LOG_ERROR, "sandbox.refused", LOG_TEXT("call", refusal.name),
                  LOG_NUMBER("number", refusal.number), LOG_NUMBER("total", refusal.total));
    return jail_refusals();
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

int sandbox_enter(struct error *why)
{
    int result = change_user(why);

    if (result == 0)
        result = jail_drop_capabilities(0, why);
    /* After the change of user, which makes core dumps possible again. */
    return result < 0 ? result : jail_enter(&jail, why);
}
