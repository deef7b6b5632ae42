#include "proxy/hold.h"

#include <assert.h>

#include "base/clock.h"
#include "proxy/attempt.h"

/* What is known of the owner of a request's slot. */
enum outlook {
    OUTLOOK_NONE,    /* it is there, or will not be soon */
    OUTLOOK_VERDICT, /* it is not reached; the keeper will say at once whether it has died */
    OUTLOOK_RETURNS, /* it is being healed */
};

static const struct table_replica *owner_of(const struct exchange *x,
                                            const struct table_service *service)
{
    unsigned member = balance_owner(table_image(x->proxy->table, service), x->hash, 0,
                                    &x->proxy->services[x->service].load);

    return member == BALANCE_NONE ? NULL : table_replicas(x->proxy->table, service) + member;
}

static bool was_tried(const struct exchange *x, uint32_t seat)
{
    for (unsigned i = 0; i < x->tried.count; i++) {
        if (x->tried.seats[i] == seat)
            return true;
    }
    return false;
}

/* Is it being healed, and not for long? */
static bool is_back_soon(const struct proxy *proxy, uint32_t seat)
{
    uint64_t since_us = proxy->seats[seat].returning_us;

    return segments_is_returning(proxy->states, seat) &&
           (!since_us || proxy->loop->now_us - since_us < HOLD_SOON_MS * CLOCK_US_PER_MS);
}

static enum outlook outlook_of(const struct exchange *x, const struct table_replica *owner)
{
    const struct proxy *proxy = x->proxy;
    enum seat_state state = segments_state(proxy->states, owner->seat, owner->incarnation);
    bool has_failed = was_tried(x, owner->seat) && x->incarnation == owner->incarnation &&
                      (x->failure == STREAM_CLOSED || x->failure == STREAM_REFUSED);

    if (is_back_soon(proxy, owner->seat))
        return OUTLOOK_RETURNS;
    if (state != SEAT_UP && state != SEAT_WARMING)
        return OUTLOOK_NONE;
    if (x->is_verdict_over)
        return OUTLOOK_NONE;
    return has_failed || proxy->seats[owner->seat].skip_until_us > proxy->loop->now_us
               ? OUTLOOK_VERDICT
               : OUTLOOK_NONE;
}

static uint64_t limit_us(const struct exchange *x, const struct table_service *service)
{
    return x->start_us + service->rules.hold_ms * CLOCK_US_PER_MS;
}

/* Is it a body that is kept for a retry whatever comes? */
static bool is_short(const struct exchange *x, const struct table_service *service)
{
    return x->body.kind == FRAMING_NONE ||
           (x->body.kind == FRAMING_LENGTH && x->body.length <= service->rules.retry_body_bytes);
}

static bool may_wait(const struct exchange *x, const struct table_service *service)
{
    const struct proxy *proxy = x->proxy;

    if (!service || !service->rules.hold_ms || !x->client || x->news.is_client_gone)
        return false;
    /* Without a keeper nothing is healed, and whoever drains is to be done soon. */
    if (!proxy->is_link_open || proxy->is_draining)
        return false;
    return proxy->loop->now_us < limit_us(x, service);
}

/* Would somebody else be as good? */
static bool has_other(const struct exchange *x, const struct table_service *service)
{
    struct pick pick;

    if (x->is_keyed && balance_is_keyed(table_image(x->proxy->table, service)))
        return false;
    return pick_replica(x->proxy, x->service, x->hash, &x->tried, &pick) == 0;
}

static bool has_room(const struct proxy *proxy, uint32_t seat)
{
    return proxy->held_count < HOLD_MAX && proxy->seats[seat].held < HOLD_REPLICA_MAX;
}

static uint64_t verdict_us(const struct exchange *x)
{
    return x->held_from_us + HOLD_VERDICT_MS * CLOCK_US_PER_MS;
}

/* Until when it waits as things are. */
static void start_timer(struct exchange *x, const struct table_service *service,
                        enum outlook outlook)
{
    uint64_t until_us = limit_us(x, service);

    if (outlook == OUTLOOK_VERDICT && verdict_us(x) < until_us)
        until_us = verdict_us(x);
    timer_start(&x->proxy->loop->wheel, &x->timer, until_us);
}

bool hold_begins(struct exchange *x)
{
    const struct table_service *service = exchange_service(x);
    struct proxy *proxy = x->proxy;
    const struct table_replica *owner;
    enum outlook outlook;

    if (!may_wait(x, service) || !head_is_idempotent(x->method) || !is_short(x, service))
        return false;
    if (x->attempts > 0 && !attempt_may_follow(x))
        return false;
    owner = owner_of(x, service);
    if (!owner || !has_room(proxy, owner->seat))
        return false;
    outlook = outlook_of(x, owner);
    if (outlook == OUTLOOK_NONE || has_other(x, service))
        return false;
    x->held_from_us = proxy->loop->now_us;
    x->held_seat = owner->seat;
    x->has_seen_return = outlook == OUTLOOK_RETURNS;
    x->why = "waits for its owner";
    list_append(&proxy->held, &x->holding);
    proxy->held_count++;
    proxy->seats[owner->seat].held++;
    start_timer(x, service, outlook);
    return true;
}

bool hold_goes_on(struct exchange *x)
{
    const struct table_service *service = exchange_service(x);
    const struct table_replica *owner;
    enum outlook outlook;

    if (!may_wait(x, service))
        return false;
    owner = owner_of(x, service);
    if (!owner || owner->seat != x->held_seat)
        return false;
    outlook = outlook_of(x, owner);
    x->has_seen_return |= outlook == OUTLOOK_RETURNS;
    if (outlook == OUTLOOK_NONE ||
        (outlook == OUTLOOK_VERDICT && x->proxy->loop->now_us >= verdict_us(x)))
        return false;
    start_timer(x, service, outlook);
    return true;
}

static void forget_try(struct exchange *x, uint32_t seat)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < x->tried.count; i++) {
        if (x->tried.seats[i] != seat)
            x->tried.seats[kept++] = x->tried.seats[i];
    }
    x->tried.count = kept;
}

void hold_end(struct exchange *x)
{
    struct proxy *proxy = x->proxy;
    bool was_idle_end;

    if (list_is_empty(&x->holding))
        return;
    /* Its connection was closed and it lives: it was just about to be (RFC 9112 9.3.1). */
    was_idle_end = !x->has_seen_return && x->failure == STREAM_CLOSED && x->attempts == 1;
    list_remove(&x->holding);
    proxy->held_count--;
    proxy->seats[x->held_seat].held--;
    timer_stop(&x->timer);
    x->held_us += proxy->loop->now_us - x->held_from_us;
    x->is_verdict_over = !x->has_seen_return;
    if (x->has_seen_return || was_idle_end)
        forget_try(x, x->held_seat);
}

const char *hold_why(const struct exchange *x, unsigned rank, const char *why)
{
    const struct table_service *service = exchange_service(x);

    if (!x->held_us || !service)
        return why;
    if (rank == 0)
        return "owner is back";
    return x->proxy->loop->now_us >= limit_us(x, service) ? "owner is not back in time" : why;
}

void hold_look(struct proxy *proxy)
{
    struct list taken;

    /* Those that go on waiting are held again: a list of its own keeps each to one visit. */
    list_init(&taken);
    list_take_all(&taken, &proxy->held);
    while (!list_is_empty(&taken)) {
        struct exchange *exchange = LIST_FIRST(&taken, struct exchange, holding);

        list_remove(&exchange->holding);
        list_append(&proxy->held, &exchange->holding);
        exchange_run(exchange);
    }
}
