/*
 * `uri-host [":" port]`: what a Host field and an absolute-form target name (RFC 9110 7.2,
 * RFC 3986 3.2.2). Pure functions over views.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

/*
 * Takes `text` apart. *host keeps the brackets of an IPv6 address; *port is empty where there is
 * none. False, outputs untouched, where it is not the grammar: empty, userinfo, blanks, bad
 * escapes, a bad address in brackets (IPvFuture included, nobody has one), a port above 65535.
 */
bool authority_split(struct view text, struct view *host, struct view *port);

bool authority_is_valid(struct view text);
