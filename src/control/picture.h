/*
 * What a table shows: the configuration and the pools in the terms of the data plane. Pure but for
 * the memory file it makes.
 */
#pragma once

#include "config/config.h"
#include "control/crew.h"
#include "control/listeners.h"
#include "proxy/table.h"

/* What it is a picture of. */
struct picture {
    const struct config *config;
    struct crew *crews; /* one for each service */
    const struct listeners *listeners;
    unsigned workers;
};

/* A table (proxy/table.h) of what is now; *fd is the caller's. */
MUST_USE int picture_build(const struct picture *picture, uint64_t epoch, int *fd,
                           struct error *why);

/* How a service's keys find replicas. */
struct balance_options picture_balance_options(const struct config_service *service);
