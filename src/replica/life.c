#include "replica/life.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "replica/batch.h"

/* Between SIGTERM and SIGKILL for one that hangs: it will hardly listen. */
#define HANG_GRACE_MS 1000u

/* How often it is looked whether a hanging one may be started anew, while another one is. */
#define HANG_AGAIN_US UINT64_C(1000000)

static const struct driver_events driver_events;

/* ---- small things ---- */

static uint64_t now_of(const struct replica *replica)
{
    return replica->supervisor->loop->now_us;
}

static void wait_us(struct replica *replica, uint64_t delay_us)
{
    replica->timer_due_us = now_of(replica) + delay_us;
    loop_start_timer(replica->supervisor->loop, &replica->timer, delay_us);
}

static void make_supervisor_ready(struct replica *replica)
{
    loop_make_ready(replica->supervisor->loop, &replica->supervisor->ready);
}

static void log_state(const struct replica *replica)
{
    char event[32];
    char address[ADDRESS_TEXT_BYTES];
    bool is_bad = replica->state == REPLICA_DOWN || replica->state == REPLICA_DEAD ||
                  replica->state == REPLICA_PARKED;
    struct log_field fields[7] = {LOG_TEXT("service", replica->plan->service),
                                  LOG_TEXT("replica", replica->name),
                                  LOG_NUMBER("incarnation", replica->incarnation)};
    unsigned count = 3;

    snprintf(event, sizeof(event), "replica.%s", replica_state_name(replica->state));
    if (replica->address.size) {
        address_to_text(&replica->address, address);
        fields[count++] = LOG_TEXT("address", address);
    }
    if (replica->pid)
        fields[count++] = LOG_NUMBER("pid", replica->pid);
    if (replica->why[0])
        fields[count++] = LOG_TEXT("reason", replica->why);
    log_write(is_bad ? LOG_WARN : LOG_INFO, event, fields);
}

static void tell_state(struct replica *replica, enum replica_state before)
{
    struct supervisor *supervisor = replica->supervisor;

    log_state(replica);
    if (supervisor->events->on_state)
        supervisor->events->on_state(supervisor->owner, replica, before);
}

static void become(struct replica *replica, enum replica_state state, const char *why)
{
    enum replica_state before = replica->state;

    replica_become(replica, state, now_of(replica), why);
    tell_state(replica, before);
}

static void give_slot(struct replica *replica)
{
    if (!replica->takes_slot)
        return;
    replica->takes_slot = false;
    replica->supervisor->starting--;
    make_supervisor_ready(replica);
}

static struct outbound_place place_of(const struct replica *replica)
{
    return (struct outbound_place){
        .place = replica->seat, .incarnation = replica->incarnation, .address = replica->address};
}

/* ---- end ---- */

static void end_soon(struct replica *replica)
{
    assert(replica->state == REPLICA_STOPPING && !replica->run);
    list_remove(&replica->queue);
    list_append(&replica->supervisor->gone, &replica->queue);
    make_supervisor_ready(replica);
}

static void free_replica(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct replica, garbage));
}

static void forget(struct replica *replica)
{
    struct supervisor *supervisor = replica->supervisor;

    health_stop(&replica->health);
    timer_stop(&replica->timer);
    list_remove(&replica->queue);
    list_remove(&replica->list);
    give_slot(replica);
    supervisor->seats[replica->seat] = NULL;
    supervisor->count--;
}

void life_bury(struct replica *replica)
{
    struct supervisor *supervisor = replica->supervisor;

    become(replica, REPLICA_GONE, replica->why);
    forget(replica);
    ports_release(&supervisor->ports, replica->id, 0);
    supervisor->events->on_gone(supervisor->owner, replica);
    loop_dispose(supervisor->loop, &replica->garbage, free_replica);
}

void life_let_go(struct replica *replica)
{
    if (replica->run)
        replica->run->driver->calls->let_go(replica->run);
    forget(replica);
    loop_dispose(replica->supervisor->loop, &replica->garbage, free_replica);
}

/* ---- start ---- */

static void start_run(struct replica *replica, struct error *why, int *result)
{
    struct driver *driver = replica->plan->driver;
    const struct driver_order order = {
        .name = replica->name,
        .previous = replica->address.size ? &replica->address : NULL,
        .ports = &replica->supervisor->ports,
        .id = replica->id,
        .may_wait = !replica->batch,
    };

    if (replica->is_found) {
        *result = driver->calls->adopt(driver, &order, replica->handle, &driver_events, replica,
                                       &replica->run, why);
        return;
    }
    backoff_note_start(&replica->backoff, now_of(replica), replica->is_kill_restart);
    *result = driver->calls->start(driver, &order, &driver_events, replica, &replica->run, why);
}

void life_enqueue(struct replica *replica)
{
    struct supervisor *supervisor = replica->supervisor;

    replica->awaits_list = false;
    list_remove(&replica->queue);
    /* What others run costs no start, and may be far from ready: nobody waits for it. */
    list_append(replica->restarts || !replica->plan->driver->can_restart ? &supervisor->heals
                                                                         : &supervisor->queue,
                &replica->queue);
    make_supervisor_ready(replica);
}

static void restart(struct replica *replica)
{
    struct supervisor *supervisor = replica->supervisor;

    /* Before anybody hears of it: a state is never told with the incarnation it is not of. */
    replica->incarnation = ++supervisor->next_incarnation[replica->seat];
    replica->restarts++;
    become(replica, REPLICA_STARTING, replica->why);
    life_enqueue(replica);
}

/* What runs for it is over: it is started again, now or later, unless it is to go. */
static void handle_loss(struct replica *replica, bool was_killed, const char *why)
{
    uint64_t now_us = now_of(replica);
    bool was_in_use = replica->up_us != 0;
    uint64_t up_us = was_in_use ? now_us - replica->up_us : 0;
    bool is_kill;
    uint64_t delay_us = backoff_delay_us(&replica->backoff, now_us, up_us,
                                         was_killed && !replica->is_hang, &is_kill);

    replica->is_kill_restart = is_kill;
    replica->is_hang = false;
    replica->is_late = false;
    replica->up_us = 0;
    if (was_in_use && !replica->down_us)
        replica->down_us = now_us;
    replica->next_start_us = now_us + delay_us;
    become(replica, delay_us >= BACKOFF_PARKED_US ? REPLICA_PARKED : REPLICA_DEAD, why);
    if (delay_us == 0) {
        restart(replica);
        return;
    }
    wait_us(replica, delay_us);
}

static void lose_run(struct replica *replica)
{
    replica->run = NULL;
    replica->pid = 0;
    replica->container_pid = 0;
    replica->usage = (struct replica_usage){.read_us = 0};
    replica->handle[0] = '\0';
    replica->is_adopted = false;
    health_stop(&replica->health);
    timer_stop(&replica->timer);
    give_slot(replica);
}

/* One that was leaving has ended. Its owner may still have to take leave of it. */
static void leave_behind(struct replica *replica)
{
    if (replica->state == REPLICA_DRAINING && !replica->is_drained)
        return;
    if (replica->state == REPLICA_DRAINING)
        become(replica, REPLICA_STOPPING, NULL);
    end_soon(replica);
}

static void handle_end(struct replica *replica, enum driver_end end, const char *why)
{
    lose_run(replica);
    if (replica_is_leaving(replica)) {
        leave_behind(replica);
        return;
    }
    if (replica->batch && !batch_may_retry(replica->batch, replica)) {
        batch_fail(replica->batch, -ECHILD, replica, why);
        return;
    }
    if (replica->is_late || replica->is_hang)
        why = replica->why;
    handle_loss(replica, end != DRIVER_EXITED, why);
}

static void handle_failure(struct replica *replica, int result, const char *why)
{
    bool was_found = replica->is_found;

    replica->is_found = false;
    lose_run(replica);
    if (replica_is_leaving(replica)) {
        leave_behind(replica);
        return;
    }
    if (was_found) {
        log_event(LOG_INFO, "replica.not_adopted", LOG_TEXT("service", replica->plan->service),
                  LOG_TEXT("replica", replica->name), LOG_TEXT("reason", why));
        life_enqueue(replica);
        return;
    }
    if (replica->batch) {
        batch_fail(replica->batch, result, replica, why);
        return;
    }
    handle_loss(replica, false, why);
}

void life_launch(struct replica *replica)
{
    struct error why = {""};
    int result;

    assert(replica->state == REPLICA_STARTING && !replica->run);
    start_run(replica, &why, &result);
    if (result < 0)
        handle_failure(replica, -ENOEXEC, why.text);
}

/* ---- news of the driver ---- */

static void on_started(struct driver_run *run, const struct driver_started *started)
{
    struct replica *replica = run->holder;
    struct outbound_place place;

    replica->address = started->address;
    replica->pid = started->pid;
    replica->container_pid = started->container_pid;
    memcpy(replica->handle, started->handle, sizeof(replica->handle));
    replica->is_adopted = replica->is_found;
    replica->is_found = false;
    if (replica->state != REPLICA_STARTING)
        return;
    place = place_of(replica);
    health_await_ready(&replica->health, &place);
}

static void on_failed(struct driver_run *run, int result, const char *why)
{
    handle_failure(run->holder, result, why);
}

/* Out of rotation at once; what becomes of it is decided when it is known how it ended. */
static void on_ending(struct driver_run *run, const char *why)
{
    struct replica *replica = run->holder;

    if (replica->state != REPLICA_WARMING && replica->state != REPLICA_UP &&
        replica->state != REPLICA_DOWN)
        return;
    health_stop(&replica->health);
    timer_stop(&replica->timer);
    replica->next_start_us = now_of(replica);
    if (!replica->down_us)
        replica->down_us = now_of(replica);
    become(replica, REPLICA_DEAD, why);
}

static void on_ended(struct driver_run *run, enum driver_end end, const char *why)
{
    handle_end(run->holder, end, why);
}

static const struct driver_events driver_events = {
    .on_started = on_started,
    .on_failed = on_failed,
    .on_ending = on_ending,
    .on_ended = on_ended,
};

/* ---- news of its probes ---- */

static void handle_ready(struct replica *replica)
{
    struct supervisor *supervisor = replica->supervisor;

    give_slot(replica);
    become(replica, REPLICA_READY, replica->is_adopted ? "adopted" : NULL);
    if (replica->batch) {
        batch_note_ready(replica->batch);
        return;
    }
    supervisor->events->on_ready(supervisor->owner, replica);
}

static void handle_not_ready(struct replica *replica)
{
    struct outbound_place place;
    char why[REPLICA_WHY_BYTES];

    snprintf(why, sizeof(why), "not ready within %u ms: %s", replica->plan->health.start_ms,
             replica->health.why);
    if (!replica->plan->driver->can_restart) {
        place = place_of(replica);
        snprintf(replica->why, sizeof(replica->why), "%s", why);
        health_await_ready(&replica->health, &place);
        return;
    }
    if (replica->batch) {
        batch_fail(replica->batch, -ETIMEDOUT, replica, why);
        return;
    }
    replica->is_late = true;
    snprintf(replica->why, sizeof(replica->why), "%s", why);
    replica->run->driver->calls->stop(replica->run, replica->plan->grace_ms);
}

static void on_verdict(struct health *health, enum health_verdict verdict)
{
    struct replica *replica = CONTAINER_OF(health, struct replica, health);

    switch (verdict) {
    case HEALTH_READY:
        handle_ready(replica);
        return;
    case HEALTH_NOT_READY:
        handle_not_ready(replica);
        return;
    case HEALTH_DOWN:
        become(replica, REPLICA_DOWN, health->why);
        timer_stop(&replica->timer);
        if (replica->plan->hang_ms && replica->plan->driver->can_restart)
            wait_us(replica, replica->plan->hang_ms * CLOCK_US_PER_MS);
        return;
    case HEALTH_UP:
        /* Too late for one that is being ended because it hung. */
        if (replica->is_hang)
            return;
        timer_stop(&replica->timer);
        become(replica, REPLICA_UP, NULL);
        return;
    case HEALTH_UNKNOWN:
        return;
    }
}

/* ---- news of the owner ---- */

void life_confirm(struct replica *replica, uint32_t incarnation)
{
    uint64_t now_us = now_of(replica);
    struct outbound_place place = place_of(replica);

    if (replica->state != REPLICA_READY || replica->incarnation != incarnation)
        return;
    replica->up_us = now_us;
    if (replica->down_us)
        replica->healed_us = now_us - replica->down_us;
    replica->down_us = 0;
    health_watch(&replica->health, &place);
    if (replica->plan->warming_ms && !replica->is_adopted) {
        become(replica, REPLICA_WARMING, NULL);
        wait_us(replica, replica->plan->warming_ms * CLOCK_US_PER_MS);
        return;
    }
    become(replica, REPLICA_UP, replica->why);
}

void life_leave(struct replica *replica)
{
    if (replica_is_leaving(replica))
        return;
    if (replica->batch) {
        batch_fail(replica->batch, -ECANCELED, replica, "taken away before it was ready");
        return;
    }
    replica->is_published = replica->state != REPLICA_STARTING && replica->state != REPLICA_DEAD &&
                            replica->state != REPLICA_PARKED;
    replica->awaits_list = false;
    health_stop(&replica->health);
    timer_stop(&replica->timer);
    list_remove(&replica->queue);
    give_slot(replica);
    become(replica, REPLICA_DRAINING, NULL);
}

static void stop_now(struct replica *replica)
{
    timer_stop(&replica->timer);
    become(replica, REPLICA_STOPPING, NULL);
    if (!replica->run) {
        end_soon(replica);
        return;
    }
    replica->run->driver->calls->stop(replica->run, replica->plan->grace_ms);
}

void life_drain(struct replica *replica, uint32_t drain_ms)
{
    life_leave(replica);
    if (replica->state != REPLICA_DRAINING)
        return;
    if (!replica->run || !replica->is_published || drain_ms == 0) {
        stop_now(replica);
        return;
    }
    replica->is_drained = true;
    replica->drain_until_us = now_of(replica) + drain_ms * CLOCK_US_PER_MS;
    wait_us(replica, 1);
}

void life_kill(struct replica *replica)
{
    if (replica->state == REPLICA_DRAINING)
        stop_now(replica);
    if (replica->state == REPLICA_STOPPING && replica->run)
        replica->run->driver->calls->stop(replica->run, 0);
}

/* ---- time ---- */

static void tick_drain(struct replica *replica)
{
    struct supervisor *supervisor = replica->supervisor;
    bool is_idle =
        supervisor->events->is_idle && supervisor->events->is_idle(supervisor->owner, replica);

    if (is_idle || now_of(replica) >= replica->drain_until_us) {
        stop_now(replica);
        return;
    }
    wait_us(replica, SUPERVISOR_DRAIN_TICK_US);
}

static bool is_any_hang_healed(const struct supervisor *supervisor)
{
    LIST_FOR_EACH (at, &supervisor->all) {
        if (CONTAINER_OF(at, struct replica, list)->is_hang)
            return true;
    }
    return false;
}

/* Down for so long that it is ended and started anew; one after the other, for where all hang the
 * reason is hardly in them. */
static void heal_hang(struct replica *replica, bool is_late)
{
    uint32_t grace_ms = replica->plan->grace_ms;

    if (is_late || is_any_hang_healed(replica->supervisor)) {
        wait_us(replica, HANG_AGAIN_US);
        return;
    }
    replica->is_hang = true;
    log_event(LOG_WARN, "replica.hangs", LOG_TEXT("service", replica->plan->service),
              LOG_TEXT("replica", replica->name), LOG_NUMBER("pid", replica->pid),
              LOG_TEXT("reason", replica->why));
    replica->run->driver->calls->stop(replica->run,
                                      grace_ms < HANG_GRACE_MS ? grace_ms : HANG_GRACE_MS);
}

static void on_timer(struct timer *timer)
{
    struct replica *replica = CONTAINER_OF(timer, struct replica, timer);
    bool is_late = now_of(replica) > replica->timer_due_us + HEALTH_LATE_US;

    switch (replica->state) {
    case REPLICA_DEAD:
    case REPLICA_PARKED:
        restart(replica);
        return;
    case REPLICA_WARMING:
        become(replica, REPLICA_UP, NULL);
        return;
    case REPLICA_DOWN:
        heal_hang(replica, is_late);
        return;
    case REPLICA_DRAINING:
        tick_drain(replica);
        return;
    default:
        return;
    }
}

/* ---- birth ---- */

static uint32_t find_seat(const struct supervisor *supervisor)
{
    for (uint32_t seat = 0; seat < REPLICA_SEATS_MAX; seat++) {
        if (!supervisor->seats[seat])
            return seat;
    }
    assert(!"there is a free seat");
    return 0;
}

static struct replica *create(struct supervisor *supervisor, const char *name,
                              const struct replica_plan *plan, enum replica_state state)
{
    struct replica *replica = memory_allocate(sizeof(*replica));

    snprintf(replica->name, sizeof(replica->name), "%s", name);
    replica->plan = plan;
    replica->id = ++supervisor->next_id;
    replica->seat = find_seat(supervisor);
    replica->incarnation = ++supervisor->next_incarnation[replica->seat];
    replica->state = state;
    replica->since_us = supervisor->loop->now_us;
    replica->since_wall_ms = clock_wall_ms();
    replica->supervisor = supervisor;
    list_init(&replica->list);
    list_init(&replica->queue);
    timer_init(&replica->timer, on_timer);
    health_init(&replica->health, &supervisor->health, &plan->health, on_verdict);
    supervisor->seats[replica->seat] = replica;
    list_append(&supervisor->all, &replica->list);
    supervisor->count++;
    return replica;
}

struct replica *life_create(struct supervisor *supervisor, const char *name,
                            const struct replica_plan *plan)
{
    struct replica *replica = create(supervisor, name, plan, REPLICA_STARTING);

    tell_state(replica, REPLICA_GONE);
    return replica;
}

void life_create_stray(struct supervisor *supervisor, const char *name,
                       const struct replica_plan *plan, const char *handle)
{
    struct replica *replica = create(supervisor, name, plan, REPLICA_STOPPING);
    struct error why = {""};
    int result;

    snprintf(replica->handle, sizeof(replica->handle), "%s", handle);
    snprintf(replica->why, sizeof(replica->why), "found running, not wanted");
    replica->is_found = true;
    tell_state(replica, REPLICA_GONE);
    start_run(replica, &why, &result);
    if (result < 0) {
        handle_failure(replica, result, why.text);
        return;
    }
    replica->run->driver->calls->stop(replica->run, plan->grace_ms);
}
