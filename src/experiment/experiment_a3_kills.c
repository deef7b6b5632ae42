#include "experiment/experiment_a3_kills.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "experiment/experiment_harm.h"
#include "experiment/experiment_measure.h"
#include "experiment/experiment_pool.h"
#include "load/load_progress.h"
#include "load/load_report.h"

#define RATE           1000.0
#define MOMENT_US      (100 * CLOCK_US_PER_MS)
#define CALM_US        (1500 * CLOCK_US_PER_MS) /* before the first blow and after each */
#define CALM_QUICK_US  (300 * CLOCK_US_PER_MS)
#define POLL_US        CLOCK_US_PER_MS
#define NOTICE_MAX_US  (30 * CLOCK_US_PER_S)
#define HANG_LONGER_US (200 * CLOCK_US_PER_MS) /* after it was noticed */
#define CONNECTIONS    2000
#define TIMEOUT_MS     15000
#define NEWCOMER       "Newcomer"
#define EVENTS         6 /* in all */
#define TITLE_BYTES    64

/* The load that goes on meanwhile. */
struct kills {
    struct experiment_rig *rig;
    struct experiment_run run;
    struct load_progress progress;
    char title[TITLE_BYTES];
    uint64_t calm_us;
    json_t *events;
};

static double in_ms(uint64_t us)
{
    return (double)us / (double)CLOCK_US_PER_MS;
}

static json_t *add_event(struct kills *kills, const char *what, const char *replica)
{
    json_t *event =
        json_pack("{s:f, s:s, s:s}", "at_ms", in_ms(clock_now_us() - kills->run.run.start_us),
                  "what", what, "replica", replica);

    kills->progress.share = (double)json_array_size(kills->events) / EVENTS;
    snprintf(kills->title, sizeof(kills->title), "a3 %s %s", what, replica);
    json_array_append_new(kills->events, event);
    experiment_rig_say(kills->rig, "%s %s", what, replica);
    return event;
}

/* Asks about the replica each millisecond until it is up (or not) as wanted; another incarnation
 * than `old` has been down even where nobody saw it. */
static int await_state(struct kills *kills, const char *name, bool wants_up, unsigned old,
                       uint64_t *took_us, struct error *why)
{
    uint64_t start_us = clock_now_us();

    for (;;) {
        struct experiment_replica replica;
        int status = experiment_pool_look(kills->rig, name, &replica, why);

        if (status < 0)
            return status;
        *took_us = clock_now_us() - start_us;
        if (wants_up ? replica.is_up : (!replica.is_up || replica.incarnation != old))
            return 0;
        if (*took_us > NOTICE_MAX_US)
            return error_set(why, -ETIMEDOUT, "%s is still %s", name, replica.state);
        status = experiment_rig_wait(kills->rig, POLL_US, why);
        if (status < 0)
            return status;
    }
}

/* Tells of an event when its replica was found missing, and when it was back; both from the
 * blow on. */
static int watch(struct kills *kills, const char *name, unsigned old, json_t *event,
                 struct error *why)
{
    uint64_t noticed_us;
    uint64_t healed_us;
    int status = await_state(kills, name, false, old, &noticed_us, why);

    if (status == 0)
        status = await_state(kills, name, true, old, &healed_us, why);
    if (status < 0)
        return status;
    json_object_set_new(event, "noticed_ms", json_real(in_ms(noticed_us)));
    json_object_set_new(event, "healed_ms", json_real(in_ms(noticed_us + healed_us)));
    return experiment_rig_wait(kills->rig, kills->calm_us, why);
}

/* With containers the blow begins when the Engine is asked for it. */
static int kill_one(struct kills *kills, const char *name, struct error *why)
{
    struct experiment_harm harm;
    struct error late;
    int status = experiment_harm_aim(&harm, kills->rig, name, why);
    json_t *event;
    int delivered;

    if (status < 0)
        return status;
    event = add_event(kills, "kill", name);
    status = experiment_harm_send(&harm, SIGKILL, why);
    if (status == 0)
        status = watch(kills, name, harm.incarnation, event, why);
    delivered = experiment_harm_finish(&harm, &late);
    if (status == 0 && delivered < 0)
        return error_set(why, delivered, "%s", late.text);
    return status;
}

/* Hung: it lives, accepts, and says nothing. It goes on when that was noticed. */
static int hang_until_noticed(struct kills *kills, struct experiment_harm *harm, json_t *event,
                              struct error *why)
{
    uint64_t noticed_us = 0;
    struct error late;
    int status = experiment_harm_send(harm, SIGSTOP, why);
    int woken;

    if (status == 0)
        status = await_state(kills, harm->replica, false, harm->incarnation, &noticed_us, why);
    if (status == 0)
        status = experiment_rig_wait(kills->rig, HANG_LONGER_US, why);
    /* It is ours to wake up whatever happened. */
    woken = experiment_harm_send(harm, SIGCONT, &late);
    json_object_set_new(event, "noticed_ms", json_real(in_ms(noticed_us)));
    if (status == 0 && woken < 0)
        return error_set(why, woken, "%s", late.text);
    return status;
}

static int hang_one(struct kills *kills, const char *name, struct error *why)
{
    struct experiment_harm harm;
    uint64_t back_us = 0;
    int status = experiment_harm_aim(&harm, kills->rig, name, why);
    struct error late;
    json_t *event;

    if (status < 0)
        return status;
    status = hang_until_noticed(kills, &harm, add_event(kills, "hang", name), why);
    event = add_event(kills, "goes on", name);
    if (status == 0)
        status = await_state(kills, name, true, harm.incarnation, &back_us, why);
    (void)!experiment_harm_finish(&harm, &late); /* it is up: it was delivered */
    if (status < 0)
        return status;
    json_object_set_new(event, "healed_ms", json_real(in_ms(back_us)));
    return experiment_rig_wait(kills->rig, kills->calm_us, why);
}

static int change_pool(struct kills *kills, struct error *why)
{
    uint64_t took_us = 0;
    json_t *event = add_event(kills, "add", NEWCOMER);
    int status = experiment_pool_add(kills->rig, NEWCOMER, &took_us, why);

    if (status < 0)
        return status;
    json_object_set_new(event, "took_ms", json_real(in_ms(took_us)));
    status = experiment_rig_wait(kills->rig, kills->calm_us, why);
    if (status < 0)
        return status;
    event = add_event(kills, "rm", NEWCOMER);
    status = experiment_pool_remove(kills->rig, NEWCOMER, &took_us, why);
    if (status < 0)
        return status;
    json_object_set_new(event, "took_ms", json_real(in_ms(took_us)));
    return experiment_rig_wait(kills->rig, kills->calm_us, why);
}

static int strike(struct kills *kills, struct error *why)
{
    int status = experiment_rig_wait(kills->rig, kills->calm_us, why);

    if (status == 0)
        status = kill_one(kills, "Server 2", why);
    if (status == 0)
        status = kill_one(kills, "Server 1", why);
    if (status == 0)
        status = hang_one(kills, "Server 3", why);
    if (status == 0)
        status = change_pool(kills, why);
    return status;
}

int experiment_a3_kills(struct experiment_rig *rig, const struct experiment_options *options,
                        json_t **result, struct error *why)
{
    struct load_plan plan = {
        .connections = CONNECTIONS,
        .duration_us = 3600 * CLOCK_US_PER_S, /* until it is stopped */
        .rate = RATE,
        .timeout_ms = TIMEOUT_MS,
        .moment_us = MOMENT_US,
    };
    struct kills kills = {.rig = rig, .calm_us = options->is_quick ? CALM_QUICK_US : CALM_US};
    int status =
        experiment_measure_begin(&kills.run, rig, &plan, "/home", "random", options->seed, why);

    if (status < 0)
        return status;
    kills.events = json_array();
    snprintf(kills.title, sizeof(kills.title), "a3");
    load_progress_start(&kills.progress, &kills.run.run, kills.title);
    kills.progress.share = 0;
    status = strike(&kills, why);
    load_progress_finish(&kills.progress);
    load_run_stop(&kills.run.run);
    if (status == 0)
        status = experiment_measure_await(&kills.run, rig, "a3", why);
    if (status == 0) {
        *result = load_report_json(&kills.run.run.result);
        json_object_set(*result, "events", kills.events);
        json_object_set_new(*result, "rate", json_real(RATE));
    }
    json_decref(kills.events);
    experiment_measure_finish(&kills.run);
    return status;
}
