#include "control/tick.h"

#include "base/clock.h"
#include "control/workers_count.h"

static bool asks_for_load(const struct config_balance *balance)
{
    return balance->bound_thousandths != CONFIG_OFF ||
           balance->scheme == CONFIG_SCHEME_LEAST_CONN || balance->scheme == CONFIG_SCHEME_P2C;
}

static bool is_needed(const struct config *config)
{
    for (unsigned i = 0; i < config->service_count; i++) {
        if (asks_for_load(&config->services[i].balance))
            return true;
    }
    return false;
}

static uint32_t warm_percent(const struct replica *replica, uint64_t now_us)
{
    uint64_t whole_us = replica->plan->warming_ms * CLOCK_US_PER_MS;
    uint64_t percent = whole_us ? (now_us - replica->since_us) * 100 / whole_us : 100;

    if (percent < TICK_WARM_FIRST_PERCENT)
        return TICK_WARM_FIRST_PERCENT;
    return percent < 100 ? (uint32_t)percent : 100;
}

/* True while it is warming. */
static bool look_at(struct tick *tick, const struct replica *replica, uint64_t *total)
{
    struct state_seat *seat = &tick->states->seats[replica->seat];

    if (tick->counts_load) {
        uint32_t in_flight = workers_count_in_flight(tick->workers, replica->seat);

        SEGMENTS_SET(seat->in_flight, in_flight);
        *total += in_flight;
    }
    if (replica->state != REPLICA_WARMING)
        return false;
    SEGMENTS_SET(seat->warming_percent, warm_percent(replica, tick->loop->now_us));
    return true;
}

static void on_tick(struct timer *timer)
{
    struct tick *tick = CONTAINER_OF(timer, struct tick, timer);
    bool goes_on = tick->counts_load;
    uint64_t total = 0;

    LIST_FOR_EACH (at, &tick->supervisor->all) {
        goes_on |= look_at(tick, CONTAINER_OF(at, struct replica, list), &total);
    }
    SEGMENTS_SET(tick->states->in_flight, total);
    if (tick->counts_load)
        atomic_fetch_add_explicit(&tick->states->ticks, 1, memory_order_release);
    if (goes_on)
        loop_start_timer(tick->loop, timer, TICK_US);
}

void tick_init(struct tick *tick, const struct config *config, struct state_segment *states,
               const struct supervisor *supervisor, const struct workers *workers)
{
    *tick = (struct tick){
        .loop = supervisor->loop,
        .states = states,
        .supervisor = supervisor,
        .workers = workers,
        .counts_load = is_needed(config),
    };
    timer_init(&tick->timer, on_tick);
    if (tick->counts_load)
        loop_start_timer(tick->loop, &tick->timer, TICK_US);
}

void tick_configure(struct tick *tick, const struct config *config)
{
    tick->counts_load = is_needed(config);
    if (tick->counts_load && !timer_is_running(&tick->timer))
        loop_start_timer(tick->loop, &tick->timer, TICK_US);
}

void tick_finish(struct tick *tick)
{
    timer_stop(&tick->timer);
}

void tick_warm(struct tick *tick, const struct replica *replica)
{
    SEGMENTS_SET(tick->states->seats[replica->seat].warming_percent, TICK_WARM_FIRST_PERCENT);
    if (!timer_is_running(&tick->timer))
        loop_start_timer(tick->loop, &tick->timer, TICK_US);
}
