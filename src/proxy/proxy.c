#include "proxy/proxy.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "proxy/hold.h"

#define OUTBOUND_IDLE_MAX 4096
#define PANIC_PERCENT_OF  100

void proxy_init(struct proxy *proxy, struct loop *loop, struct sock_group *socks,
                const struct state_segment *states, struct count_segment *counts)
{
    const struct outbound_settings settings = {
        .limits = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX},
        .idle_ms = 4000,
        .idle_max = OUTBOUND_IDLE_MAX,
    };

    *proxy = (struct proxy){.loop = loop, .socks = socks, .states = states, .counts = counts};
    outbound_pool_init(&proxy->outbounds, socks, &settings);
    access_log_init(&proxy->log, -1, ACCESS_JSON);
    pool_init(&proxy->exchanges, sizeof(struct exchange), SIZE_MAX);
    pool_init(&proxy->texts, PROXY_TEXT_BYTES, SIZE_MAX);
    pool_init(&proxy->short_texts, PROXY_SHORT_TEXT_BYTES, SIZE_MAX);
    list_init(&proxy->all);
    list_init(&proxy->waiting_for_link);
    list_init(&proxy->held);
    proxy->is_link_open = true;
    proxy->budget_permille = PROXY_BUDGET_MAX * 1000;
    proxy->seats = memory_allocate(TABLE_REPLICAS_MAX * sizeof(*proxy->seats));
}

static void forget_services(struct proxy *proxy)
{
    for (unsigned i = 0; i < TABLE_SERVICES_MAX; i++) {
        free(proxy->services[i].in_flight);
        proxy->services[i].in_flight = NULL;
        proxy->services[i].load.in_flight = NULL;
    }
}

void proxy_finish(struct proxy *proxy)
{
    assert(list_is_empty(&proxy->all));
    outbound_pool_finish(&proxy->outbounds);
    access_log_finish(&proxy->log);
    pool_finish(&proxy->exchanges);
    pool_finish(&proxy->texts);
    pool_finish(&proxy->short_texts);
    forget_services(proxy);
    free(proxy->seats);
    table_unmap(proxy->table);
}

/* ---- the table ---- */

static void enter_replica(struct proxy *proxy, const struct table_replica *replica,
                          unsigned service, unsigned member)
{
    struct proxy_seat *seat = &proxy->seats[replica->seat];
    uint32_t in_flight = SEGMENTS_READ(proxy->counts->seats[replica->seat].in_flight);

    if (seat->incarnation != replica->incarnation) {
        outbound_forget(&proxy->outbounds, replica->seat, replica->incarnation);
        *seat = (struct proxy_seat){.incarnation = replica->incarnation,
                                    .held = seat->held,
                                    .returning_us = seat->returning_us};
    }
    seat->service = (uint16_t)service;
    seat->member = (uint16_t)member;
    proxy->services[service].in_flight[member] = in_flight;
    proxy->services[service].load.total += in_flight;
}

static void enter_service(struct proxy *proxy, unsigned number, bool present[TABLE_REPLICAS_MAX])
{
    const struct table_service *service = table_services(proxy->table) + number;
    struct proxy_service *own = &proxy->services[number];
    uint64_t turn = own->load.turn;

    own->in_flight = memory_allocate((service->replica_count + 1) * sizeof(uint32_t));
    own->load = (struct balance_load){.turn = turn, .in_flight = own->in_flight};
    own->seen_ticks = 0;
    for (unsigned i = 0; i < service->replica_count; i++) {
        const struct table_replica *replica = table_replicas(proxy->table, service) + i;

        present[replica->seat] = true;
        enter_replica(proxy, replica, number, i);
    }
}

static void apply_settings(struct proxy *proxy)
{
    const struct table_settings *settings = &proxy->table->settings;

    proxy->outbounds.settings.idle_ms = settings->outbound_idle_ms;
    if (settings->header_bytes && settings->header_bytes < HEAD_BYTES_MAX)
        proxy->outbounds.settings.limits.head_bytes = settings->header_bytes;
    proxy->log.format = settings->access_format ? ACCESS_LOGFMT : ACCESS_JSON;
    proxy->socks->queued_limit = settings->buffered_bytes;
}

void proxy_adopt(struct proxy *proxy, const struct table *table)
{
    const struct table *old = proxy->table;
    bool present[TABLE_REPLICAS_MAX] = {false};

    forget_services(proxy);
    proxy->table = table;
    for (unsigned i = 0; i < table->service_count; i++)
        enter_service(proxy, i, present);
    for (unsigned seat = 0; seat < TABLE_REPLICAS_MAX; seat++) {
        if (present[seat] || !proxy->seats[seat].incarnation)
            continue;
        outbound_forget(&proxy->outbounds, seat, 0);
        proxy->seats[seat] = (struct proxy_seat){.held = proxy->seats[seat].held};
    }
    apply_settings(proxy);
    SEGMENTS_SET(proxy->counts->epoch, table->epoch);
    table_unmap(old);
    proxy_look(proxy);
}

/* ---- the states ---- */

static void update_panic(struct proxy *proxy, unsigned number)
{
    const struct table_service *service = table_services(proxy->table) + number;
    unsigned healthy = 0;
    unsigned down = 0;

    for (unsigned i = 0; i < service->replica_count; i++) {
        const struct table_replica *replica = table_replicas(proxy->table, service) + i;
        enum seat_state state = segments_state(proxy->states, replica->seat, replica->incarnation);

        healthy += state == SEAT_UP || state == SEAT_WARMING;
        down += state == SEAT_DOWN || state == SEAT_EJECTED || state == SEAT_PROBATION;
    }
    proxy->services[number].is_panicking =
        healthy * PANIC_PERCENT_OF < (healthy + down) * service->rules.panic_percent;
}

static void take_back(struct proxy *proxy, uint32_t seat)
{
    struct list taken;

    /* Those that are taken back go on in proxy->all: a list of its own keeps each to one visit. */
    list_init(&taken);
    list_take_all(&taken, &proxy->all);
    while (!list_is_empty(&taken)) {
        struct exchange *exchange = LIST_FIRST(&taken, struct exchange, list);

        list_remove(&exchange->list);
        list_append(&proxy->all, &exchange->list);
        if (exchange->attempts && !exchange->is_link && exchange->seat == seat)
            exchange_take_back(exchange);
    }
}

static void look_at(struct proxy *proxy, const struct table_replica *replica)
{
    struct proxy_seat *seat = &proxy->seats[replica->seat];
    enum seat_state state = segments_state(proxy->states, replica->seat, replica->incarnation);

    if (!segments_is_returning(proxy->states, replica->seat))
        seat->returning_us = 0;
    else if (!seat->returning_us)
        seat->returning_us = proxy->loop->now_us;
    if (seat->state == state)
        return;
    seat->state = (uint8_t)state;
    if (state != SEAT_DEAD && state != SEAT_DOWN)
        return;
    take_back(proxy, replica->seat);
    if (state == SEAT_DEAD)
        outbound_break(&proxy->outbounds, replica->seat, replica->incarnation);
}

void proxy_look(struct proxy *proxy)
{
    if (!proxy->table)
        return;
    proxy->seen_changes = atomic_load_explicit(&proxy->states->changes, memory_order_acquire);
    for (unsigned i = 0; i < proxy->table->service_count; i++) {
        const struct table_service *service = table_services(proxy->table) + i;

        update_panic(proxy, i);
        for (unsigned j = 0; j < service->replica_count; j++)
            look_at(proxy, table_replicas(proxy->table, service) + j);
    }
    hold_look(proxy);
}

void proxy_drain(struct proxy *proxy)
{
    proxy->is_draining = true;
    hold_look(proxy);
}

/* ---- the link ---- */

void proxy_take_link_stream(struct proxy *proxy, int fd)
{
    struct exchange *exchange = LIST_FIRST(&proxy->waiting_for_link, struct exchange, waiting);

    if (fd >= 0)
        outbound_adopt(&proxy->outbounds, fd, PROXY_LINK_PLACE, PROXY_LINK_INCARNATION);
    if (proxy->link_streams > 0)
        proxy->link_streams--;
    if (!exchange)
        return;
    list_remove(&exchange->waiting);
    proxy->waiting_count--;
    exchange_link_ready(exchange, fd >= 0);
}

void proxy_lose_link(struct proxy *proxy)
{
    proxy->is_link_open = false;
    while (!list_is_empty(&proxy->waiting_for_link))
        proxy_take_link_stream(proxy, -1);
    outbound_break(&proxy->outbounds, PROXY_LINK_PLACE, PROXY_LINK_INCARNATION);
    hold_look(proxy);
}

/* ---- retries and skips ---- */

void proxy_earn_retry(struct proxy *proxy, const struct table_service *service)
{
    const int64_t most = PROXY_BUDGET_MAX * 1000;

    proxy->budget_permille += service->rules.retry_permille;
    if (proxy->budget_permille > most)
        proxy->budget_permille = most;
}

bool proxy_has_retry(const struct proxy *proxy)
{
    return proxy->budget_permille >= 1000;
}

void proxy_take_retry(struct proxy *proxy)
{
    if (proxy->budget_permille > -PROXY_BUDGET_MAX * 1000)
        proxy->budget_permille -= 1000;
    SEGMENTS_ADD(proxy->counts->retries, 1);
}

void proxy_skip_seat(struct proxy *proxy, uint32_t seat)
{
    struct proxy_seat *own = &proxy->seats[seat];

    if (own->skip_us == 0)
        own->skip_us = PROXY_SKIP_MIN_US;
    else if (own->skip_until_us <= proxy->loop->now_us)
        own->skip_us =
            own->skip_us * 2 < PROXY_SKIP_MAX_US ? own->skip_us * 2 : (uint32_t)PROXY_SKIP_MAX_US;
    own->skip_until_us = proxy->loop->now_us + own->skip_us;
    own->waits_us = 0;
}

void proxy_note_unreached(struct proxy *proxy, uint32_t seat, enum stream_failure failure,
                          uint64_t since_us)
{
    if (failure == STREAM_TIMED_OUT && proxy->seats[seat].alive_us > since_us)
        return;
    proxy_skip_seat(proxy, seat);
    proxy->seats[seat].has_timed_out = failure == STREAM_TIMED_OUT;
}

void proxy_clear_seat(struct proxy *proxy, uint32_t seat)
{
    struct proxy_seat *own = &proxy->seats[seat];

    own->skip_until_us = 0;
    own->skip_us = 0;
    own->waits_us = 0;
    own->has_timed_out = false;
    own->alive_us = proxy->loop->now_us;
}

void proxy_await_seat(struct proxy *proxy, uint32_t seat, uint32_t connect_ms)
{
    struct proxy_seat *own = &proxy->seats[seat];

    if (!own->waits_us || proxy->loop->now_us - own->waits_us >= PROXY_WAIT_US(connect_ms))
        own->waits_us = proxy->loop->now_us;
}

void proxy_refresh_load(struct proxy *proxy, unsigned number)
{
    const struct table_service *service = table_services(proxy->table) + number;
    struct proxy_service *own = &proxy->services[number];
    uint64_t ticks = atomic_load_explicit(&proxy->states->ticks, memory_order_acquire);

    if (LIKELY(ticks == own->seen_ticks))
        return;
    own->seen_ticks = ticks;
    own->load.total = 0;
    for (unsigned i = 0; i < service->replica_count; i++) {
        uint32_t seat = table_replicas(proxy->table, service)[i].seat;
        uint32_t mine = SEGMENTS_READ(proxy->counts->seats[seat].in_flight);
        uint32_t all = SEGMENTS_READ(proxy->states->seats[seat].in_flight);

        own->in_flight[i] = all > mine ? all : mine;
        own->load.total += own->in_flight[i];
    }
}

void proxy_count_in_flight(struct proxy *proxy, uint32_t seat, int change)
{
    struct proxy_seat *own = &proxy->seats[seat];
    struct proxy_service *service = &proxy->services[own->service];

    SEGMENTS_ADD(proxy->counts->seats[seat].in_flight, (uint32_t)change);
    if (!own->incarnation || !service->in_flight)
        return;
    service->in_flight[own->member] += (uint32_t)change;
    service->load.total += (uint64_t)(int64_t)change;
}
