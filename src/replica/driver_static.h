/*
 * Replicas that somebody else runs: each name has an address, nothing is started or stopped.
 * Owner of the driver: who created it.
 */
#pragma once

#include "net/loop.h"
#include "replica/driver.h"

struct driver_static_place {
    char name[DRIVER_NAME_BYTES];
    struct address address;
};

/* `places` is copied. */
struct driver *driver_static_create(struct loop *loop, const struct driver_static_place *places,
                                    unsigned count);
