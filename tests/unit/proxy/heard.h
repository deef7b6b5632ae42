/* What was heard last over a rig, and that nothing more is. */
#pragma once

#include "rig.h"

static inline void heard_starts_with(const char *start)
{
    if (strncmp(rig_text, start, strlen(start)) != 0)
        fail_msg("expected \"%s…\", got \"%.1000s\"", start, rig_text);
}

static inline void heard_has(const char *part)
{
    if (!strstr(rig_text, part))
        fail_msg("expected \"%s\" in \"%.1000s\"", part, rig_text);
}

static inline void heard_has_not(const char *part)
{
    if (strstr(rig_text, part))
        fail_msg("did not expect \"%s\" in \"%.1000s\"", part, rig_text);
}

/* Nobody connects any more. */
static inline void heard_nobody_come(struct rig *rig)
{
    rig_turns(rig, 20);
    for (unsigned i = 0; i < rig->count; i++) {
        if (rig->listeners[i] >= 0)
            assert_int_equal(accept4(rig->listeners[i], NULL, NULL, SOCK_NONBLOCK), -1);
    }
}
