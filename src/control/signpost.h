/*
 * Where the control port of a state folder's keeper is: STATE/run/control, an address a line. What
 * a keeper left that is gone by now counts for nothing.
 */
#pragma once

#include "control/folder.h"
#include "net/address.h"

/* -errno with a sentence. */
MUST_USE int signpost_write(struct folder *folder, const struct address *addresses, unsigned count,
                            struct error *why);

/* The first address of the keeper that runs now: -ENOENT where none does. */
MUST_USE int signpost_read(struct folder *folder, struct address *address);
