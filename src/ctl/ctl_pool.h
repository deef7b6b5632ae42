/* The verbs that change a pool, and the one that prices a change. Each returns an exit status. */
#pragma once

#include "ctl/ctl.h"

int ctl_pool_add(struct ctl *ctl);
int ctl_pool_remove(struct ctl *ctl);
int ctl_pool_drain(struct ctl *ctl);
int ctl_pool_weight(struct ctl *ctl);
int ctl_pool_plan(struct ctl *ctl);
int ctl_pool_reload(struct ctl *ctl);
