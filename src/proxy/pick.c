#include "proxy/pick.h"

#include <errno.h>

#include "base/clock.h"

/* Of the time a connection may take that much in vain says something. */
#define WAITED_ENOUGH 3
#define WAITED_PARTS  4

struct search {
    struct proxy *proxy;
    unsigned service;
    uint64_t hash;
    const struct pick_tried *tried;
};

static bool was_tried(const struct pick_tried *tried, uint32_t seat)
{
    for (unsigned i = 0; i < tried->count; i++) {
        if (tried->seats[i] == seat)
            return true;
    }
    return false;
}

/* A warming replica gets that share of its own slots' keys; which ones follows from the hash. */
static bool is_warm_for(const struct proxy *proxy, uint32_t seat, uint64_t hash)
{
    return hash % 100 < SEGMENTS_READ(proxy->states->seats[seat].warming_percent);
}

static bool is_over_bound(const struct proxy *proxy, unsigned service, unsigned member)
{
    const struct table_service *of = table_services(proxy->table) + service;

    if (of->rules.bound == BALANCE_BOUND_OFF)
        return false;
    return balance_is_over_bound(table_image(proxy->table, of), &proxy->services[service].load,
                                 member, of->rules.bound, of->rules.bound_floor);
}

/*
 * One that was not reached is asked by one request at a time whether it is back: where all of many
 * are gone, there is always one whose time to be skipped is over, and everybody would wait for
 * that. And who has waited in vain for one replica does not do so where others wait or have waited.
 */
static bool is_waited_for(const struct proxy *proxy, unsigned service, uint32_t seat,
                          const struct pick_tried *tried)
{
    uint32_t connect_ms = table_services(proxy->table)[service].rules.connect_ms;
    const struct proxy_seat *own = &proxy->seats[seat];
    uint64_t now_us = proxy->loop->now_us;
    uint64_t waited_us = now_us - own->waits_us;
    bool waits = own->waits_us && waited_us < PROXY_WAIT_US(connect_ms);

    if (waits && own->skip_us)
        return true;
    if (!tried->has_waited)
        return false;
    if (own->has_timed_out && now_us < own->skip_until_us + PROXY_WAIT_US(connect_ms))
        return true;
    return waits && waited_us * WAITED_PARTS >= connect_ms * CLOCK_US_PER_MS * WAITED_ENOUGH;
}

static const char *state_obstacle(const struct proxy *proxy, unsigned service,
                                  const struct table_replica *replica, uint64_t hash)
{
    switch (segments_state(proxy->states, replica->seat, replica->incarnation)) {
    case SEAT_UP:
        return NULL;
    case SEAT_WARMING:
        return is_warm_for(proxy, replica->seat, hash) ? NULL : "owner is warming";
    case SEAT_DOWN:
        return proxy->services[service].is_panicking ? NULL : "owner is down";
    case SEAT_EJECTED:
        return proxy->services[service].is_panicking ? NULL : "owner is ejected";
    case SEAT_PROBATION:
        return proxy->services[service].is_panicking || !proxy->seats[replica->seat].trials
                   ? NULL
                   : "owner is on probation";
    case SEAT_STARTING:
        return "owner is starting";
    case SEAT_DRAINING:
        return "owner is draining";
    default:
        return "owner is dead";
    }
}

/* What keeps a member from being used, NULL for nothing. */
static const char *obstacle(const struct proxy *proxy, unsigned service, unsigned member,
                            uint64_t hash, const struct pick_tried *tried)
{
    const struct table_replica *replica =
        table_replicas(proxy->table, table_services(proxy->table) + service) + member;
    const char *obstacle = state_obstacle(proxy, service, replica, hash);

    if (obstacle)
        return obstacle;
    if (proxy->seats[replica->seat].skip_until_us > proxy->loop->now_us)
        return "owner refused";
    if (was_tried(tried, replica->seat))
        return "owner was tried";
    if (is_waited_for(proxy, service, replica->seat, tried))
        return "owner takes no connections";
    return is_over_bound(proxy, service, member) ? "owner is over its bound" : NULL;
}

static bool may_use(void *context, unsigned member)
{
    const struct search *search = context;

    return !obstacle(search->proxy, search->service, member, search->hash, search->tried);
}

/* Everybody else is warming up, over the bound or ejected: better one of them than nobody. */
static bool may_use_at_need(void *context, unsigned member)
{
    const struct search *search = context;
    const struct proxy *proxy = search->proxy;
    const struct table_replica *replica =
        table_replicas(proxy->table, table_services(proxy->table) + search->service) + member;
    enum seat_state state = segments_state(proxy->states, replica->seat, replica->incarnation);
    bool is_there = segments_is_running(state) ||
                    (state == SEAT_DOWN && proxy->services[search->service].is_panicking);

    return is_there && proxy->seats[replica->seat].skip_until_us <= proxy->loop->now_us &&
           !was_tried(search->tried, replica->seat) &&
           !is_waited_for(proxy, search->service, replica->seat, search->tried);
}

int pick_replica(struct proxy *proxy, unsigned service, uint64_t hash,
                 const struct pick_tried *tried, struct pick *pick)
{
    const struct table_service *of = table_services(proxy->table) + service;
    const struct balance_image *image = table_image(proxy->table, of);
    const struct balance_load *load = &proxy->services[service].load;
    struct search search = {proxy, service, hash, tried};
    unsigned rank = 0;
    unsigned member;

    proxy_refresh_load(proxy, service);
    member = balance_owner(image, hash, 0, load);
    if (member == BALANCE_NONE)
        return -ENOENT;
    pick->why = obstacle(proxy, service, member, hash, tried);
    if (pick->why) {
        member = balance_pick(image, hash, load, may_use, &search, &rank);
        if (member == BALANCE_NONE)
            member = balance_pick(image, hash, load, may_use_at_need, &search, &rank);
        if (member == BALANCE_NONE)
            return -ENOENT;
    }
    if (rank == 0)
        pick->why = "owner";
    pick->replica = table_replicas(proxy->table, of) + member;
    pick->member = member;
    pick->rank = rank;
    pick->slot = balance_slot(image, hash);
    pick->is_trial = segments_state(proxy->states, pick->replica->seat,
                                    pick->replica->incarnation) == SEAT_PROBATION;
    return 0;
}
