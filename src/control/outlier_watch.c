#include "control/outlier_watch.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/keeper.h"
#include "control/live.h"
#include "control/workers_count.h"

/* Two of the states that replica_state_name() does not know. */
#define EJECTED   "ejected"
#define PROBATION "probation"

/* A service while it is looked at. */
struct look {
    struct keeper *keeper;
    struct crew *crew;
    const struct outlier_rules *rules;
    uint64_t now_us;
    unsigned in_rotation;
    unsigned all;
};

/* ---- what others ask ---- */

static bool gets_traffic(const struct replica *replica)
{
    return replica->state == REPLICA_UP || replica->state == REPLICA_WARMING;
}

const struct outlier *outlier_watch_of(const struct replica *replica)
{
    const struct crew_member *member = crew_member_of(replica);

    if (!member || !gets_traffic(replica) || member->judged != replica->incarnation ||
        member->outlier.state == OUTLIER_IN)
        return NULL;
    return &member->outlier;
}

enum seat_state outlier_watch_seat_state(const struct replica *replica)
{
    const struct outlier *outlier = outlier_watch_of(replica);

    if (!outlier)
        return live_seat_state(replica->state);
    return outlier->state == OUTLIER_EJECTED ? SEAT_EJECTED : SEAT_PROBATION;
}

const char *outlier_watch_state_name(const struct replica *replica)
{
    const struct outlier *outlier = outlier_watch_of(replica);

    if (!outlier)
        return replica_state_name(replica->state);
    return outlier->state == OUTLIER_EJECTED ? EJECTED : PROBATION;
}

/* ---- what is told ---- */

static void log_it(const struct replica *replica, const struct outlier *outlier,
                   enum outlier_action action)
{
    const char *service = replica->plan->service;
    uint64_t ms = (outlier->until_us - outlier->since_us) / CLOCK_US_PER_MS;

    switch (action) {
    case OUTLIER_EJECT:
        log_event(LOG_WARN, "replica.ejected", LOG_TEXT("service", service),
                  LOG_TEXT("replica", replica->name), LOG_NUMBER("milliseconds", ms),
                  LOG_NUMBER("ejections", outlier->ejections), LOG_TEXT("reason", outlier->why));
        return;
    case OUTLIER_TRY:
        log_event(LOG_INFO, "replica.probation", LOG_TEXT("service", service),
                  LOG_TEXT("replica", replica->name), LOG_TEXT("reason", outlier->why));
        return;
    default:
        log_event(LOG_INFO, "replica.restored", LOG_TEXT("service", service),
                  LOG_TEXT("replica", replica->name));
    }
}

/* The workers and people are told what it is now. */
static void tell(struct keeper *keeper, const struct replica *replica,
                 const struct outlier *outlier, enum outlier_action action, const char *before)
{
    segments_set_state(keeper->states, replica->seat, replica->incarnation,
                       outlier_watch_seat_state(replica));
    /* They reckon anew whether it is a panic. */
    workers_look(&keeper->workers);
    log_it(replica, outlier, action);
    events_pool_outlier(&keeper->pool_events, replica, outlier, action, before);
}

static void act(struct look *look, struct crew_member *member, enum outlier_action action,
                const struct outlier_figures *figures)
{
    const char *before = outlier_watch_state_name(member->replica);

    outlier_become(&member->outlier, action, look->rules, figures, look->now_us);
    tell(look->keeper, member->replica, &member->outlier, action, before);
}

/* ---- one service ---- */

static bool is_looked_at(const struct crew_member *member)
{
    return gets_traffic(member->replica) && member->judged == member->replica->incarnation;
}

static void count_rotation(struct look *look)
{
    LIST_FOR_EACH (at, &look->crew->members) {
        const struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);

        if (!member->weight)
            continue;
        look->all++;
        look->in_rotation += gets_traffic(member->replica) && !outlier_watch_of(member->replica);
    }
}

static void eject(struct look *look, struct crew_member *member,
                  const struct outlier_figures *figures)
{
    struct outlier *outlier = &member->outlier;
    bool is_out = outlier->state != OUTLIER_IN;

    if (is_out || outlier_may_go(look->rules, look->in_rotation, look->all)) {
        look->in_rotation -= !is_out;
        act(look, member, OUTLIER_EJECT, figures);
        return;
    }
    if (!outlier->is_kept)
        log_event(LOG_WARN, "replica.not_ejected",
                  LOG_TEXT("service", member->replica->plan->service),
                  LOG_TEXT("replica", member->name), LOG_NUMBER("in_rotation", look->in_rotation),
                  LOG_NUMBER("replicas", look->all), LOG_TEXT("reason", outlier->why));
    outlier->is_kept = true;
}

static void begin(const struct keeper *keeper, struct crew_member *member)
{
    struct outlier_figures figures;

    workers_count_answers(&keeper->workers, member->replica->seat, &figures);
    workers_count_waits(&keeper->workers, member->replica->seat, figures.wait);
    outlier_begin(&member->outlier, &figures, keeper->loop.now_us);
    member->judged = member->replica->incarnation;
}

static void look_at(struct look *look, struct crew_member *member)
{
    const struct workers *workers = &look->keeper->workers;
    const struct replica *replica = member->replica;
    struct outlier *outlier = &member->outlier;
    struct outlier_figures figures;
    enum outlier_action action;

    if (!gets_traffic(replica))
        return;
    if (member->judged != replica->incarnation) {
        begin(look->keeper, member);
        return;
    }
    workers_count_answers(workers, replica->seat, &figures);
    if (outlier->state == OUTLIER_PROBATION)
        workers_count_waits(workers, replica->seat, figures.wait);
    action = outlier_judge(outlier, look->rules, &figures, look->now_us);
    if (action == OUTLIER_NOTHING)
        return;
    workers_count_waits(workers, replica->seat, figures.wait);
    if (action == OUTLIER_EJECT)
        eject(look, member, &figures);
    else
        act(look, member, action, &figures);
}

/* ---- slowness ---- */

/* The windows of all that are in rotation; with `windows` NULL they only begin anew. */
static unsigned end_windows(struct look *look, struct outlier_window *windows,
                            struct crew_member **members)
{
    struct outlier_figures figures;
    unsigned count = 0;

    LIST_FOR_EACH (at, &look->crew->members) {
        struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);

        if (!is_looked_at(member) || member->outlier.state != OUTLIER_IN)
            continue;
        workers_count_waits(&look->keeper->workers, member->replica->seat, figures.wait);
        if (windows) {
            windows[count] = outlier_end_window(&member->outlier, &figures);
            members[count++] = member;
        }
        outlier_begin_window(&member->outlier, &figures);
    }
    look->crew->window_us = look->now_us;
    return count;
}

/* One a window, the slowest: without it the others may be well. */
static void eject_slowest(struct look *look, const struct outlier_window *windows,
                          struct crew_member **members, unsigned count)
{
    struct outlier_figures figures;
    uint64_t limit_us;
    int place = outlier_find_slow(look->rules, windows, count, &limit_us);

    if (place < 0)
        return;
    workers_count_answers(&look->keeper->workers, members[place]->replica->seat, &figures);
    workers_count_waits(&look->keeper->workers, members[place]->replica->seat, figures.wait);
    outlier_blame_slow(&members[place]->outlier, &windows[place], limit_us);
    eject(look, members[place], &figures);
}

static void look_for_slow(struct look *look)
{
    uint64_t window_us = look->rules->latency_window_ms * CLOCK_US_PER_MS;
    struct outlier_window *windows;
    struct crew_member **members;
    unsigned count;

    if (look->now_us < look->keeper->outliers.settled_us) {
        end_windows(look, NULL, NULL);
        return;
    }
    if (look->now_us - look->crew->window_us < window_us)
        return;
    windows = memory_allocate((look->crew->count + 1) * sizeof(*windows));
    members = memory_allocate((look->crew->count + 1) * sizeof(struct crew_member *));
    count = end_windows(look, windows, members);
    eject_slowest(look, windows, members, count);
    free(windows);
    free(members);
}

static void look_at_crew(struct keeper *keeper, struct crew *crew)
{
    struct look look = {
        .keeper = keeper,
        .crew = crew,
        .rules = &crew->config->outlier,
        .now_us = keeper->loop.now_us,
    };

    if (!outlier_is_on(look.rules))
        return;
    count_rotation(&look);
    LIST_FOR_EACH (at, &crew->members) {
        look_at(&look, CONTAINER_OF(at, struct crew_member, list));
    }
    if (look.rules->latency_thousandths)
        look_for_slow(&look);
}

/* ---- time and configuration ---- */

static bool is_needed(const struct keeper *keeper)
{
    for (unsigned i = 0; i < keeper->config->service_count; i++) {
        if (outlier_is_on(&keeper->config->services[i].outlier))
            return true;
    }
    return false;
}

static void wait(struct outlier_watch *watch)
{
    watch->due_us = watch->keeper->loop.now_us + OUTLIER_WATCH_US;
    loop_start_timer(&watch->keeper->loop, &watch->timer, OUTLIER_WATCH_US);
}

static void on_timer(struct timer *timer)
{
    struct outlier_watch *watch = CONTAINER_OF(timer, struct outlier_watch, timer);
    struct keeper *keeper = watch->keeper;

    if (keeper->loop.now_us > watch->due_us + OUTLIER_WATCH_LATE_US)
        watch->settled_us = keeper->loop.now_us + OUTLIER_WATCH_SETTLE_US;
    for (unsigned i = 0; i < keeper->config->service_count; i++)
        look_at_crew(keeper, &keeper->crews[i]);
    wait(watch);
}

void outlier_watch_begin(struct outlier_watch *watch, const struct replica *replica)
{
    struct crew_member *member = crew_member_of(replica);

    if (!member || !gets_traffic(replica) || member->judged == replica->incarnation)
        return;
    if (outlier_is_on(&member->crew->config->outlier))
        begin(watch->keeper, member);
}

/* A service that ejects nobody: everybody is back, and will be looked at from the beginning. */
static void restore_all(struct keeper *keeper, struct crew *crew)
{
    struct look look = {
        .keeper = keeper,
        .crew = crew,
        .rules = &crew->config->outlier,
        .now_us = keeper->loop.now_us,
    };
    struct outlier_figures figures = {0};

    LIST_FOR_EACH (at, &crew->members) {
        struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);

        if (outlier_watch_of(member->replica))
            act(&look, member, OUTLIER_RESTORE, &figures);
        member->judged = 0;
    }
}

static void begin_all(struct outlier_watch *watch, struct crew *crew)
{
    LIST_FOR_EACH (at, &crew->members) {
        outlier_watch_begin(watch, CONTAINER_OF(at, struct crew_member, list)->replica);
    }
}

void outlier_watch_configure(struct outlier_watch *watch)
{
    struct keeper *keeper = watch->keeper;

    for (unsigned i = 0; i < keeper->config->service_count; i++) {
        if (outlier_is_on(&keeper->config->services[i].outlier))
            begin_all(watch, &keeper->crews[i]);
        else
            restore_all(keeper, &keeper->crews[i]);
    }
    if (!is_needed(keeper))
        timer_stop(&watch->timer);
    else if (!timer_is_running(&watch->timer))
        wait(watch);
}

void outlier_watch_init(struct outlier_watch *watch, struct keeper *keeper)
{
    *watch = (struct outlier_watch){.keeper = keeper};
    timer_init(&watch->timer, on_timer);
}

void outlier_watch_finish(struct outlier_watch *watch)
{
    timer_stop(&watch->timer);
}
