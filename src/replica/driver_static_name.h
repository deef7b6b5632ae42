/*
 * How the replicas of a host name are called: its entry's name, '-' and the IP address, for IPv6
 * with dots instead of colons: "web-10.0.0.1", "web-fd00..13". The name follows from the address
 * alone, so the order of an answer moves no key; and the address follows from the name, so that
 * what was remembered can be used before DNS has answered.
 */
#pragma once

#include "base/view.h"
#include "net/address.h"
#include "replica/driver.h"

/* Of an entry's name: what an IPv6 address and the '-' leave. */
#define DRIVER_STATIC_NAME_ENTRY_MAX 23

/* The replica of `entry`, of at most DRIVER_STATIC_NAME_ENTRY_MAX bytes, at an IP address. */
void driver_static_name_make(const char *entry, const struct address *address,
                             char name[DRIVER_NAME_BYTES]);

/* The entry (a view of `name`) and the address, with port 0. -EINVAL, outputs untouched, for a name
 * that is no such one. */
MUST_USE int driver_static_name_read(const char *name, struct view *entry, struct address *address);
