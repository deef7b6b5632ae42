#include "proxy/limit.h"

#include <string.h>

#include "base/clock.h"
#include "proxy/segments.h"

#define NS_PER_US UINT64_C(1000)
#define NS_PER_S  (CLOCK_US_PER_S * NS_PER_US)

/* Of an IPv6 address so much is its owner's network (RFC 6177). */
#define IPV6_KEY_BYTES 8

/* What an IPv4 address begins with as a key: none of IPv6 in use (RFC 4291 2.5.5.2). */
#define IPV4_MARK 0xffff

void limit_init(struct limit *limit, struct guest_segment *guests, _Atomic uint32_t *held)
{
    *limit = (struct limit){.guests = guests, .held = held};
}

void limit_set(struct limit *limit, const struct limit_rules *rules)
{
    limit->rules = *rules;
    if (limit->rules.requests && !limit->rules.burst)
        limit->rules.burst = 1;
}

/* 0 where it is no IP address: those are not limited. */
static uint64_t key_of(const struct address *address)
{
    const struct in6_addr *in6 = &address->in6.sin6_addr;
    uint32_t in = address->in.sin_addr.s_addr;
    uint64_t key;

    if (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(in6))
        memcpy(&in, &in6->s6_addr[12], sizeof(in));
    else if (address->any.sa_family == AF_INET6) {
        memcpy(&key, in6->s6_addr, IPV6_KEY_BYTES);
        return key ? key : 1;
    } else if (address->any.sa_family != AF_INET)
        return 0;
    return (uint64_t)in << 32 | IPV4_MARK;
}

/* The place of an address. With a connection of ours in it, it is pinned already; else it is until
 * leave(). */
static uint32_t enter(struct limit *limit, uint64_t key)
{
    uint32_t place = guests_find(limit->guests, key);

    if (place != GUESTS_NONE && SEGMENTS_READ(limit->held[place]))
        return place;
    return guests_enter(limit->guests, key);
}

static void leave(struct limit *limit, uint32_t place)
{
    if (!SEGMENTS_READ(limit->held[place]))
        guests_leave(limit->guests, place);
}

enum limit_verdict limit_connect(struct limit *limit, const struct address *address)
{
    uint64_t key = key_of(address);
    uint32_t place;

    if (!limit->rules.connections || !key)
        return LIMIT_NOT_COUNTED;
    place = enter(limit, key);
    if (place == GUESTS_NONE)
        return LIMIT_NOT_COUNTED;
    /* In this order: whoever dies in between must not leave a connection that nobody gives back. */
    SEGMENTS_ADD(limit->held[place], 1);
    if (guests_connect(limit->guests, place, limit->rules.connections))
        return LIMIT_COUNTED;
    SEGMENTS_ADD(limit->held[place], -1u);
    leave(limit, place);
    return LIMIT_TOO_MANY;
}

void limit_disconnect(struct limit *limit, const struct address *address)
{
    uint64_t key = key_of(address);
    uint32_t place = key ? guests_find(limit->guests, key) : GUESTS_NONE;

    if (place == GUESTS_NONE || !SEGMENTS_READ(limit->held[place]))
        return;
    guests_disconnect(limit->guests, place);
    SEGMENTS_ADD(limit->held[place], -1u);
    leave(limit, place);
}

bool limit_request(struct limit *limit, const struct address *address, uint64_t now_us)
{
    const struct limit_rules *rules = &limit->rules;
    uint64_t key = key_of(address);
    uint32_t place;
    bool is_allowed;

    if (!rules->requests || !key)
        return true;
    place = enter(limit, key);
    if (place == GUESTS_NONE)
        return true;
    /* Rounded up: rather a little slower than faster. */
    is_allowed =
        guests_take_token(limit->guests, place, now_us * NS_PER_US,
                          (NS_PER_S + rules->requests - 1) / rules->requests, rules->burst);
    leave(limit, place);
    return is_allowed;
}
