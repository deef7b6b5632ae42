/*
 * Finds the balancer that is meant and its token: --control URL; else the state folder of --state,
 * of -c FILE, or of `make up` in this folder; else the one roost serve would use; else the control
 * port roost serve would listen on.
 */
#pragma once

#include "ctl/ctl.h"

/* Fills in address, host and token of `client`. -errno with a sentence. */
MUST_USE int ctl_find(const struct ctl_options *options, struct ctl_client *client,
                      struct error *why);
