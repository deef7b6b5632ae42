/* `roost ctl status`: the node as it is; --watch: again each second. */
#pragma once

#include "ctl/ctl.h"

int ctl_status(struct ctl *ctl);
