/*
 * What c-ares found, made into a resolver's answer: addresses that a replica can have, sorted, each
 * once.
 *
 * Owner: the resolver.
 */
#pragma once

#include <ares.h>

#include "net/resolver.h"

/* The family's number for sockets. */
static inline int resolver_answer_af(enum resolver_family family)
{
    return family == RESOLVER_IPV4 ? AF_INET : AF_INET6;
}

/* Takes the addresses of one family, and their TTL; they get `port`. */
void resolver_answer_take(struct resolver_answer *answer, enum resolver_family family,
                          uint16_t port, const struct ares_addrinfo *info);

/* Nothing is known of that family: `status` of c-ares says why. */
void resolver_answer_fail(struct resolver_answer *answer, enum resolver_family family, int status);
