/*
 * Replicas that somebody else runs: each name has an address, nothing is started or stopped. That
 * of a host name's replica stands in its own name (driver_static_name.h). Owner of the driver: who
 * created it.
 */
#pragma once

#include "net/loop.h"
#include "replica/driver.h"

struct driver_static_place {
    char name[DRIVER_NAME_BYTES];
    struct address address; /* size 0: a host name's, whose replicas are NAME-IP ... */
    uint16_t port;          /* ... at that port */
};

/* `places` is copied. */
struct driver *driver_static_create(struct loop *loop, const struct driver_static_place *places,
                                    unsigned count);
