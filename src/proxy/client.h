/* Who a request comes from: the peer of the connection, or whom a trusted proxy names. */
#pragma once

#include "conn/inbound.h"
#include "proxy/exchange.h"

/* Is it one of the proxies whose word is believed? */
bool client_is_trusted(const struct address *address, const struct table *table);

/*
 * The views are valid as long as the inbound and, where a trusted proxy names the client, the head.
 * `trusted` are the ranges of proxies whose X-Forwarded-For is believed: the client is then the
 * last address in it that is not trusted itself.
 */
struct exchange_client client_of(const struct inbound *inbound, const struct head *head,
                                 const struct table *table);
