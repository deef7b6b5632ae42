#include "replica/dockhand_jail.h"

#include <jansson.h>
#include <linux/capability.h>
#include <sys/socket.h>

#include "base/attribute.h"
#include "base/jail.h"
#include "base/log.h"

/* What a dockhand may beside what all may. */
static const struct jail_rule rules[] = {
    {SCMP_SYS(socket),
     3,
     {JAIL_EQUALS(0, AF_UNIX), JAIL_HAS_BITS(1, JAIL_SOCKET_TYPE_MASK, SOCK_STREAM),
      JAIL_EQUALS(2, 0)}},
};

static const int families[] = {AF_UNIX};

static const struct jail jail = {
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
