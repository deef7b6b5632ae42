/* The verbs that look at one thing: where a key goes, what a replica wrote. */
#pragma once

#include "ctl/ctl.h"

int ctl_look_explain(struct ctl *ctl);
int ctl_look_logs(struct ctl *ctl);
