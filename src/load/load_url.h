/*
 * Where requests go: "http://host:port/path?query", or without the scheme.
 * Owner: the caller; the views are into the text that was parsed.
 */
#pragma once

#include "net/address.h"

#define LOAD_URL_NAME_BYTES 256

struct load_url {
    struct view host;   /* with its port, as a Host field says it */
    struct view name;   /* without it, and without brackets */
    struct view target; /* never empty */
    uint16_t port;
};

/* -EINVAL with a sentence. */
MUST_USE int load_url_parse(const char *text, struct load_url *url, struct error *why);

/* Looks the host up; may wait for a name server. -ENOENT with a sentence. */
MUST_USE int load_url_resolve(const struct load_url *url, struct address *address,
                              struct error *why);
