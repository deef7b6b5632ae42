#include "proxy/limit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

#define NS_PER_US    UINT64_C(1000)
#define BUCKETS_BITS 14
#define BUCKETS      (1u << BUCKETS_BITS)

/* Of an IPv6 address so much is its owner's network (RFC 6177). */
#define IPV6_KEY_BYTES 8

/* What an IPv4 address begins with as a key: none of IPv6 in use (RFC 4291 2.5.5.2). */
#define IPV4_MARK 0xffff

/* One address that was seen. */
struct guest {
    struct list list; /* of its bucket */
    struct list idle; /* of limit->idle */
    uint64_t key;
    uint64_t full_at_ns; /* when its tokens are as many as may be: later for each that is gone */
    uint32_t connections;
};

void limit_init(struct limit *limit)
{
    *limit = (struct limit){.seed = random_next()};
    pool_init(&limit->pool, sizeof(struct guest), SIZE_MAX);
    list_init(&limit->idle);
}

static void forget(struct limit *limit, struct guest *guest)
{
    if (!list_is_empty(&guest->idle))
        limit->idle_count--;
    list_remove(&guest->idle);
    list_remove(&guest->list);
    pool_give(&limit->pool, guest);
}

void limit_finish(struct limit *limit)
{
    for (unsigned i = 0; limit->buckets && i < BUCKETS; i++) {
        while (!list_is_empty(&limit->buckets[i]))
            forget(limit, LIST_FIRST(&limit->buckets[i], struct guest, list));
    }
    pool_finish(&limit->pool);
    free(limit->buckets);
    limit->buckets = NULL;
}

void limit_set(struct limit *limit, const struct limit_rules *rules)
{
    limit->rules = *rules;
    if (limit->rules.requests && !limit->rules.burst)
        limit->rules.burst = 1;
    if (limit->buckets || (!rules->connections && !rules->requests))
        return;
    limit->buckets = memory_allocate(BUCKETS * sizeof(*limit->buckets));
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&limit->buckets[i]);
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

static struct list *bucket_of(struct limit *limit, uint64_t key)
{
    uint64_t hash = (key ^ limit->seed) * UINT64_C(0x9e3779b97f4a7c15);

    hash ^= hash >> 29;
    return &limit->buckets[hash * UINT64_C(0xbf58476d1ce4e5b9) >> (64 - BUCKETS_BITS)];
}

static struct guest *find(struct limit *limit, uint64_t key)
{
    if (!limit->buckets || !key)
        return NULL;
    LIST_FOR_EACH (at, bucket_of(limit, key)) {
        struct guest *guest = CONTAINER_OF(at, struct guest, list);

        if (guest->key == key)
            return guest;
    }
    return NULL;
}

/* The one seen last goes last; the one not seen for longest goes where there are too many. */
static void keep_idle(struct limit *limit, struct guest *guest)
{
    if (list_is_empty(&guest->idle))
        limit->idle_count++;
    list_remove(&guest->idle);
    list_append(&limit->idle, &guest->idle);
    if (limit->idle_count > LIMIT_IDLE_MAX)
        forget(limit, LIST_FIRST(&limit->idle, struct guest, idle));
}

static struct guest *enter(struct limit *limit, uint64_t key)
{
    struct guest *guest = find(limit, key);

    if (guest)
        return guest;
    guest = pool_take(&limit->pool);
    *guest = (struct guest){.key = key};
    list_init(&guest->idle);
    list_append(bucket_of(limit, key), &guest->list);
    return guest;
}

bool limit_connect(struct limit *limit, const struct address *address)
{
    uint64_t key = key_of(address);
    struct guest *guest;

    if (!limit->rules.connections || !key)
        return true;
    guest = enter(limit, key);
    if (guest->connections >= limit->rules.connections)
        return false;
    guest->connections++;
    if (!list_is_empty(&guest->idle))
        limit->idle_count--;
    list_remove(&guest->idle);
    return true;
}

void limit_disconnect(struct limit *limit, const struct address *address)
{
    struct guest *guest = find(limit, key_of(address));

    if (!guest || !guest->connections)
        return;
    if (--guest->connections == 0)
        keep_idle(limit, guest);
}

bool limit_request(struct limit *limit, const struct address *address, uint64_t now_us)
{
    uint64_t key = key_of(address);
    uint64_t now_ns = now_us * NS_PER_US;
    uint64_t token_ns, most_ns;
    struct guest *guest;

    if (!limit->rules.requests || !key)
        return true;
    guest = enter(limit, key);
    if (!guest->connections)
        keep_idle(limit, guest);
    token_ns = CLOCK_US_PER_S * NS_PER_US / limit->rules.requests;
    most_ns = token_ns * limit->rules.burst;
    if (guest->full_at_ns < now_ns)
        guest->full_at_ns = now_ns;
    if (guest->full_at_ns + token_ns > now_ns + most_ns)
        return false;
    guest->full_at_ns += token_ns;
    return true;
}
