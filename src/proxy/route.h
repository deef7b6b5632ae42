/* Where a request belongs: to a service, to the keeper, or to this worker itself. */
#pragma once

#include "http/head.h"
#include "proxy/table.h"

enum route_kind {
    ROUTE_SERVICE, /* the first whose match fits and which the listener may reach */
    ROUTE_LINK,    /* a call of the classic API: the keeper answers */
    ROUTE_HEALTH,  /* GET /healthcheck: the worker answers */
    ROUTE_NONE,    /* nothing fits */
};

struct route {
    enum route_kind kind;
    unsigned service; /* its place in the table, ROUTE_SERVICE only */
};

/*
 * The route of a request that came by `listener`. Hosts are compared without case and port; the
 * path of a match is a beginning that ends where a segment ends.
 */
struct route route_find(const struct table *table, const struct head *head, unsigned listener);
