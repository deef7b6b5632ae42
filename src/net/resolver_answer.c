#include "net/resolver_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* One that a replica can have: not every host, none, a group of hosts, one that says nothing
 * without an interface, or IPv4 in disguise. */
static bool is_usable(const struct address *address)
{
    const struct in6_addr *six = &address->in6.sin6_addr;
    uint32_t four;

    if (address->any.sa_family == AF_INET) {
        four = ntohl(address->in.sin_addr.s_addr);
        return four >> 24 != 0 && !IN_MULTICAST(four) && four != INADDR_BROADCAST;
    }
    if (IN6_IS_ADDR_LOOPBACK(six))
        return true;
    return !IN6_IS_ADDR_UNSPECIFIED(six) && !IN6_IS_ADDR_MULTICAST(six) &&
           !IN6_IS_ADDR_LINKLOCAL(six) && !IN6_IS_ADDR_V4MAPPED(six) && !IN6_IS_ADDR_V4COMPAT(six);
}

static bool take_address(const struct ares_addrinfo_node *node, enum resolver_family family,
                         uint16_t port, struct address *address)
{
    *address = (struct address){.size = 0};
    if (node->ai_family != resolver_answer_af(family))
        return false;
    if (family == RESOLVER_IPV4) {
        address->in.sin_family = AF_INET;
        address->in.sin_addr = ((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr;
        address->size = sizeof(address->in);
    } else {
        address->in6.sin6_family = AF_INET6;
        address->in6.sin6_addr =
            ((const struct sockaddr_in6 *)(const void *)node->ai_addr)->sin6_addr;
        address->size = sizeof(address->in6);
    }
    address_set_port(address, port);
    return is_usable(address);
}

static int compare(const void *a, const void *b)
{
    const struct address *one = a;
    const struct address *other = b;

    if (one->any.sa_family == AF_INET)
        return memcmp(&one->in.sin_addr, &other->in.sin_addr, sizeof(one->in.sin_addr));
    return memcmp(&one->in6.sin6_addr, &other->in6.sin6_addr, sizeof(one->in6.sin6_addr));
}

static void keep(const struct address *sorted, unsigned count, struct resolver_found *found)
{
    for (unsigned i = 0; i < count; i++) {
        if (i > 0 && address_equals(&sorted[i - 1], &sorted[i]))
            continue;
        if (found->count < RESOLVER_ADDRESSES_MAX)
            found->addresses[found->count++] = sorted[i];
        else
            found->passed_over++;
    }
}

static unsigned count_nodes(const struct ares_addrinfo *info)
{
    unsigned count = 0;

    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        count++;
    return count < RESOLVER_FOUND_MAX ? count : RESOLVER_FOUND_MAX;
}

static uint32_t shortest_ttl(const struct ares_addrinfo *info)
{
    int least = INT32_MAX;

    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        least = node->ai_ttl < least ? node->ai_ttl : least;
    for (const struct ares_addrinfo_cname *name = info->cnames; name; name = name->next)
        least = name->ttl < least ? name->ttl : least;
    /* One with the highest bit set is none (RFC 2181 8). */
    return least < 0 ? 0 : (uint32_t)least;
}

void resolver_answer_take(struct resolver_answer *answer, enum resolver_family family,
                          uint16_t port, const struct ares_addrinfo *info)
{
    struct resolver_found *found = &answer->found[family];
    unsigned most = count_nodes(info);
    struct address *all = memory_allocate((most + 1) * sizeof(*all));
    uint32_t ttl_s = shortest_ttl(info);
    unsigned count = 0;

    for (const struct ares_addrinfo_node *node = info->nodes; node && count < most;
         node = node->ai_next)
        count += take_address(node, family, port, &all[count]);
    qsort(all, count, sizeof(*all), compare);
    keep(all, count, found);
    free(all);
    found->result = count ? 0 : -ENODATA;
    if (count && ttl_s < answer->ttl_s)
        answer->ttl_s = ttl_s;
}

static int result_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
        return -ENODATA;
    case ARES_ETIMEOUT:
        return -ETIMEDOUT;
    default:
        return -EIO;
    }
}

void resolver_answer_fail(struct resolver_answer *answer, enum resolver_family family, int status)
{
    answer->found[family].result = result_of(status);
    snprintf(answer->why, sizeof(answer->why), "%s", ares_strerror(status));
}
