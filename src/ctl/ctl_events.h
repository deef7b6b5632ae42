/* `roost ctl events`: what has happened; -f: and goes on, across restarts of the balancer. */
#pragma once

#include "ctl/ctl.h"

int ctl_events(struct ctl *ctl);
