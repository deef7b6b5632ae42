#include "net/timer.h"

#define SLOT_BITS 6
#define SLOT_MASK (TIMER_SLOTS - 1)

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_us)
{
    *wheel = (struct timer_wheel){.tick = now_us / TIMER_TICK_US};
    for (int level = 0; level < TIMER_LEVELS; level++) {
        for (int slot = 0; slot < TIMER_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

void timer_init(struct timer *timer, timer_fn on_expiry)
{
    *timer = (struct timer){.on_expiry = on_expiry};
    list_init(&timer->list);
}

/* The first tick that is not before `time_us`. */
static uint64_t tick_of(uint64_t time_us)
{
    return time_us / TIMER_TICK_US + (time_us % TIMER_TICK_US != 0);
}

static void place(struct timer_wheel *wheel, struct timer *timer)
{
    const uint64_t most = (UINT64_C(1) << (SLOT_BITS * TIMER_LEVELS)) - 1;
    uint64_t tick = tick_of(timer->deadline_us);
    unsigned level = 0;
    uint64_t away;
    unsigned slot;

    if (tick <= wheel->tick)
        tick = wheel->tick + 1;
    if (tick - wheel->tick > most)
        tick = wheel->tick + most;
    away = tick ^ wheel->tick;
    /* The level is that of the highest digit in which the two ticks differ. */
    while (level + 1 < TIMER_LEVELS && away >> (SLOT_BITS * (level + 1)))
        level++;
    slot = (unsigned)(tick >> (SLOT_BITS * level)) & SLOT_MASK;
    timer->placed_tick = tick;
    list_append(&wheel->slots[level][slot], &timer->list);
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

void timer_start(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_us)
{
    bool is_placed = !list_is_empty(&timer->list);

    timer->deadline_us = deadline_us ? deadline_us : 1;
    /* Put off: the place it has is early enough, it is moved when its turn comes. */
    if (is_placed && tick_of(timer->deadline_us) >= timer->placed_tick)
        return;
    list_remove(&timer->list);
    place(wheel, timer);
}

void timer_stop(struct timer *timer)
{
    timer->deadline_us = 0;
    list_remove(&timer->list);
}

/* Places anew what is in the slot; what is due by now goes to `due`. */
static void empty_slot(struct timer_wheel *wheel, unsigned level, unsigned slot, struct list *due)
{
    struct list here;

    list_init(&here);
    list_take_all(&here, &wheel->slots[level][slot]);
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    while (!list_is_empty(&here)) {
        struct timer *timer = LIST_FIRST(&here, struct timer, list);

        list_remove(&timer->list);
        if (tick_of(timer->deadline_us) > wheel->tick)
            place(wheel, timer);
        else
            list_append(due, &timer->list);
    }
}

/* The next tick at which something is in the wheel, as seen from one level. */
static uint64_t next_tick_of_level(const struct timer_wheel *wheel, unsigned level)
{
    unsigned shift = SLOT_BITS * level;
    uint64_t round = wheel->tick >> shift;
    unsigned at = (unsigned)round & SLOT_MASK;
    uint64_t ahead = wheel->occupied[level];

    if (!ahead)
        return UINT64_MAX;
    /* Turned so that bit 0 is the slot after the present one. */
    at = (at + 1) & SLOT_MASK;
    ahead = at ? (ahead >> at) | (ahead << (TIMER_SLOTS - at)) : ahead;
    return (round + 1 + (unsigned)__builtin_ctzll(ahead)) << shift;
}

static uint64_t next_tick(const struct timer_wheel *wheel)
{
    uint64_t next = UINT64_MAX;

    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        uint64_t tick = next_tick_of_level(wheel, level);

        if (tick < next)
            next = tick;
    }
    return next;
}

/* Turns the wheel up to the tick `now`. */
static void advance(struct timer_wheel *wheel, uint64_t now, struct list *due)
{
    for (;;) {
        uint64_t next = next_tick(wheel);

        if (next > now)
            break;
        wheel->tick = next;
        /* From the top down: what comes from above may be due at this very tick. */
        for (int level = TIMER_LEVELS - 1; level >= 0; level--) {
            unsigned shift = SLOT_BITS * (unsigned)level;
            unsigned slot = (unsigned)(next >> shift) & SLOT_MASK;

            if (next & ((UINT64_C(1) << shift) - 1))
                continue;
            empty_slot(wheel, (unsigned)level, slot, due);
        }
    }
    if (now > wheel->tick)
        wheel->tick = now;
}

void timer_wheel_run(struct timer_wheel *wheel, uint64_t now_us)
{
    struct list due;

    /* First all that is due, then the calls: what they start anew is measured from now on, and a
     * process that was stopped for an hour does not call one timer for each tick it missed. */
    list_init(&due);
    advance(wheel, now_us / TIMER_TICK_US, &due);
    while (!list_is_empty(&due)) {
        struct timer *timer = LIST_FIRST(&due, struct timer, list);

        list_remove(&timer->list);
        /* Put off by a call before this one. */
        if (tick_of(timer->deadline_us) > wheel->tick) {
            place(wheel, timer);
            continue;
        }
        timer->deadline_us = 0;
        timer->on_expiry(timer);
        if (wheel->on_settle)
            wheel->on_settle(wheel);
    }
}

uint64_t timer_wheel_next_us(const struct timer_wheel *wheel)
{
    uint64_t next = next_tick(wheel);

    return next == UINT64_MAX ? TIMER_NEVER_US : next * TIMER_TICK_US;
}
