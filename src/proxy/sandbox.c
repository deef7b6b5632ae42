#include "proxy/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attribute.h"
#include "base/jail.h"
#include "base/log.h"

/* ---- what a worker may beside what all may ---- */

static const struct jail_rule rules[] = {
    {.call = SCMP_SYS(accept4)},
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
    {SCMP_SYS(setsockopt), 2, {JAIL_EQUALS(1, SOL_SOCKET), JAIL_EQUALS(2, SO_RCVBUF)}},
    {SCMP_SYS(fcntl), 1, {JAIL_EQUALS(1, F_GET_SEALS)}},
};

static const int families[] = {AF_INET, AF_INET6};

static const struct jail jail = {
    .rules = rules,
    .rule_count = ARRAY_SIZE(rules),
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
