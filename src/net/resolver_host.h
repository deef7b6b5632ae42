/*
 * The name of a host that a resolver may be asked for, with its port, as people write it.
 */
#pragma once

#include <stdint.h>

#include "base/attribute.h"
#include "base/view.h"

#define RESOLVER_HOST_BYTES 255 /* of a name (RFC 1035 2.3.4), with its zero */

/*
 * "NAME:PORT", the port not 0, the name one of DNS (RFC 1123 2.1, and '_'), perhaps with the dot at
 * its end. -EINVAL, outputs untouched, where it is none; an IP address is none.
 */
MUST_USE int resolver_host_from_text(struct view text, char host[RESOLVER_HOST_BYTES],
                                     uint16_t *port);
