#include "control/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/begin.h"
#include "control/cores.h"
#include "control/keeper_bind.h"
#include "control/live.h"
#include "control/recruit.h"
#include "control/signpost.h"
#include "control/workers_count.h"
#include "proxy/access_log.h"

/* What the control port and the links together may queue. */
#define QUEUED_BYTES_MAX (64u << 20)

/* A start that takes longer than its slowest replica may by that much goes on without it. */
#define START_SLACK_MS 1000

/* What the state remembers of epochs, and how many of them at a time. */
#define EPOCH          "epoch"
#define EPOCHS_AT_ONCE 1000

/* How often it is looked at what tells no news: probes that miss. */
#define LOOK_US UINT64_C(20000)

static void stop(struct keeper *keeper);

/* ---- serving ---- */

uint32_t keeper_drain_ms(const struct keeper *keeper)
{
    const struct config *config = keeper->config;
    uint32_t longest = 0;

    for (unsigned i = 0; i < config->service_count; i++) {
        uint32_t drain_ms = config->services[i].timeouts.drain_ms;

        longest = drain_ms > longest ? drain_ms : longest;
    }
    return longest;
}

bool keeper_is_serving(const struct keeper *keeper)
{
    return keeper->phase == KEEPER_SERVING;
}

static void on_workers_ready(void *owner)
{
    struct keeper *keeper = owner;

    keeper->phase = KEEPER_SERVING;
    outlier_watch_configure(&keeper->outliers);
    timer_stop(&keeper->start_limit);
    for (unsigned i = 0; i < keeper->config->service_count; i++)
        crew_open(&keeper->crews[i]);
    /* Ours accept: those of an earlier keeper need not any more. */
    takeover_drain(&keeper->takeover, keeper_drain_ms(keeper));
    log_event(LOG_INFO, "serve.ready", LOG_NUMBER("workers", keeper->workers.count),
              LOG_NUMBER("milliseconds", (clock_now_us() - keeper->started_us) / CLOCK_US_PER_MS));
}

static void on_workers_failed(void *owner, const char *reason)
{
    struct keeper *keeper = owner;

    log_event(LOG_ERROR, "serve.failed", LOG_TEXT("reason", reason));
    keeper->status = 1;
    stop(keeper);
}

static void on_workers_adopted(void *owner)
{
    struct keeper *keeper = owner;

    publish_look(&keeper->publish);
}

static void on_workers_renewed(void *owner, int result)
{
    struct keeper *keeper = owner;

    reload_on_renewed(&keeper->reload, result);
}

static void on_workers_retired(void *owner)
{
    struct keeper *keeper = owner;

    reload_on_retired(&keeper->reload);
}

static void on_want_stream(void *owner, struct workers_one *one)
{
    struct keeper *keeper = owner;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        log_event(LOG_WARN, "link.failed", LOG_TEXT("reason", strerror(errno)));
        return;
    }
    if (link_send(&one->link, LINK_STREAM, 0, ends[1]) == 0)
        api_accept_link(&keeper->api, ends[0]);
    else
        close(ends[0]);
    close(ends[1]);
}

/* ---- stopping ---- */

static void on_replicas_stopped(void *owner)
{
    struct keeper *keeper = owner;

    log_event(LOG_INFO, "serve.ended", LOG_NUMBER("status", keeper->status));
    loop_stop(&keeper->loop);
}

static void on_workers_gone(void *owner)
{
    struct keeper *keeper = owner;

    if (keeper->phase == KEEPER_STOPPING)
        return;
    keeper->phase = KEEPER_STOPPING;
    if (keeper->config->leaves_replicas) {
        on_replicas_stopped(keeper);
        return;
    }
    supervisor_stop(&keeper->supervisor, 0, on_replicas_stopped, keeper);
    /* Asked a second time it does not wait for them. */
    if (keeper->stop_signals > 1)
        supervisor_stop(&keeper->supervisor, 0, on_replicas_stopped, keeper);
}

static void drain(struct keeper *keeper)
{
    keeper->phase = KEEPER_DRAINING;
    reload_cancel(&keeper->reload);
    timer_stop(&keeper->start_limit);
    lookup_stop(&keeper->lookups);
    SEGMENTS_SET(keeper->states->is_draining, 1);
    for (unsigned i = 0; i < keeper->config->service_count; i++)
        crew_close(&keeper->crews[i]);
    workers_drain(&keeper->workers, keeper_drain_ms(keeper));
}

/* The first time in order, the second time at once. */
static void stop(struct keeper *keeper)
{
    keeper->stop_signals++;
    if (keeper->stop_signals == 1) {
        log_event(LOG_INFO, "serve.draining");
        drain(keeper);
        return;
    }
    log_event(LOG_WARN, "serve.stopping_at_once");
    if (keeper->phase == KEEPER_STOPPING && !keeper->config->leaves_replicas)
        supervisor_stop(&keeper->supervisor, 0, on_replicas_stopped, keeper);
    else
        workers_kill(&keeper->workers);
}

/* ---- signals ---- */

static int open_access_log(const char *where)
{
    struct error why;
    int fd;

    if (strcmp(where, "off") == 0)
        return -1;
    fd = access_log_open(strcmp(where, "stdout") == 0 ? NULL : where, &why);
    if (fd >= 0)
        return fd;
    log_event(LOG_ERROR, "access_log.failed", LOG_TEXT("reason", why.text));
    return -1;
}

static void reopen_logs(struct keeper *keeper)
{
    int fd = open_access_log(keeper->config->log.access);

    log_event(LOG_INFO, "log.reopened");
    workers_send_access_log(&keeper->workers, fd);
    descriptor_close(&keeper->access_fd);
    keeper->access_fd = fd;
}

static void on_signal(struct signals *signals, uint32_t signal)
{
    struct keeper *keeper = CONTAINER_OF(signals, struct keeper, signals);

    switch (signal) {
    case SIGTERM:
    case SIGINT:
        stop(keeper);
        return;
    case SIGUSR1:
        reopen_logs(keeper);
        return;
    case SIGHUP:
        reload_begin(&keeper->reload, NULL);
        return;
    default:
        log_event(LOG_WARN, "upgrade.unsupported",
                  LOG_TEXT("reason", "SIGUSR2 does not upgrade yet: restart to run another "
                                     "binary"));
    }
}

/* ---- starting ---- */

/* Ready, or known not to be for a while: one that had to be started again, or one that others run
 * and that did not answer at once. */
static bool is_settled(const struct replica *replica)
{
    if (replica->state != REPLICA_STARTING || replica->restarts > 0)
        return true;
    return !replica->plan->driver->can_restart && replica->health.why[0];
}

static bool are_settled(const struct keeper *keeper)
{
    LIST_FOR_EACH (at, &keeper->supervisor.all) {
        if (!is_settled(CONTAINER_OF(at, struct replica, list)))
            return false;
    }
    return lookup_is_settled(&keeper->lookups);
}

/* The replicas are as ready as they will be: the workers may begin. */
static void begin_work(struct keeper *keeper)
{
    struct error why;
    int result;

    timer_stop(&keeper->start_limit);
    ready_cancel(&keeper->look);
    result = publish_now(&keeper->publish, &why);
    if (result == 0)
        result = workers_start(&keeper->workers, &why);
    if (result == 0)
        return;
    log_event(LOG_ERROR, "serve.failed", LOG_TEXT("reason", why.text));
    keeper->status = 1;
    stop(keeper);
}

static void on_look(struct ready *ready)
{
    struct keeper *keeper = CONTAINER_OF(ready, struct keeper, look);

    if (keeper->phase != KEEPER_STARTING || !timer_is_running(&keeper->start_limit))
        return;
    if (are_settled(keeper))
        begin_work(keeper);
    else
        loop_start_timer(&keeper->loop, &keeper->look_again, LOOK_US);
}

static void on_look_again(struct timer *timer)
{
    keeper_look(CONTAINER_OF(timer, struct keeper, look_again));
}

static void on_start_limit(struct timer *timer)
{
    struct keeper *keeper = CONTAINER_OF(timer, struct keeper, start_limit);

    log_event(LOG_WARN, "serve.incomplete", LOG_TEXT("reason", "not all replicas became ready"));
    begin_work(keeper);
}

void keeper_look(struct keeper *keeper)
{
    if (keeper->phase == KEEPER_STARTING)
        loop_make_ready(&keeper->loop, &keeper->look);
}

static const struct workers_events workers_events = {
    .on_ready = on_workers_ready,
    .on_failed = on_workers_failed,
    .on_adopted = on_workers_adopted,
    .on_want_stream = on_want_stream,
    .on_gone = on_workers_gone,
    .on_renewed = on_workers_renewed,
    .on_retired = on_workers_retired,
};

static void on_changed(void *owner, struct crew *crew, const struct crew_change *change)
{
    struct keeper *keeper = owner;

    events_pool_change(&keeper->pool_events, crew, change);
    for (unsigned i = 0; i < change->count; i++)
        log_event(LOG_INFO, change->what, LOG_TEXT("service", crew->config->name),
                  LOG_TEXT("replica", change->names[i]), LOG_NUMBER("replicas", crew->count),
                  LOG_TEXT("who", change->who), LOG_TEXT("cause", change->cause));
}

static const struct crew_events crew_events = {.on_changed = on_changed};

/* Epochs are reserved many at a time: a heal should cost no disk commit. */
static void reserve_epochs(struct keeper *keeper, uint64_t epoch)
{
    struct error why;

    if (epoch < keeper->epochs_reserved)
        return;
    if (state_set_number(keeper->state, EPOCH, epoch + EPOCHS_AT_ONCE, &why) < 0)
        log_event(LOG_ERROR, "state.failed", LOG_TEXT("reason", why.text));
    keeper->epochs_reserved = epoch + EPOCHS_AT_ONCE;
}

static int build_table(void *owner, uint64_t epoch, int *fd, struct error *why)
{
    struct keeper *keeper = owner;

    reserve_epochs(keeper, epoch);
    return picture_build(&keeper->picture, epoch, fd, why);
}

static void on_table(void *owner, const struct table *before, const struct table *now)
{
    struct keeper *keeper = owner;

    events_pool_publish(&keeper->pool_events, keeper->crews, before, now);
}

static int init_crews(struct keeper *keeper, struct error *why)
{
    const struct config *config = keeper->config;

    for (unsigned i = 0; i < config->service_count; i++) {
        struct driver *driver;
        int result =
            recruit_driver(&keeper->loop, &keeper->folder, &config->services[i], &driver, why);

        if (result < 0)
            return result;
        crew_init(&keeper->crews[i], config, i, &keeper->supervisor, &keeper->publish,
                  &keeper->workers, keeper->state, driver, &crew_events, keeper);
    }
    return 0;
}

static int start_crews(struct keeper *keeper, struct error *why)
{
    const struct config *config = keeper->config;
    struct state_pool *pools = memory_allocate(config->service_count * sizeof(*pools));
    int result = begin_pools(keeper->state, &keeper->folder, config, pools, why);

    if (result == 0)
        result = init_crews(keeper, why);
    for (unsigned i = 0; result == 0 && i < config->service_count; i++)
        result = crew_restore(&keeper->crews[i], &pools[i], why);
    for (unsigned i = 0; i < config->service_count; i++)
        state_forget_pool(&pools[i]);
    free(pools);
    return result;
}

static uint32_t longest_start_ms(const struct config *config)
{
    uint32_t longest = 0;

    for (unsigned i = 0; i < config->service_count; i++) {
        uint32_t start_ms = config->services[i].health.start_ms;

        longest = start_ms > longest ? start_ms : longest;
    }
    return longest;
}

/* Of the replica of that seat, to those who asked for something else than its health. */
static uint64_t answered_us(void *owner, uint32_t seat)
{
    const struct keeper *keeper = owner;
    struct outlier_figures figures;

    workers_count_answers(&keeper->workers, seat, &figures);
    return figures.good_us;
}

static void init_parts(struct keeper *keeper)
{
    const struct config *config = keeper->config;
    struct security_rules rules = {
        .token = config->control.token,
        .is_open = config->control.is_open,
        .hosts = config->control.hosts.items,
        .host_count = config->control.hosts.count,
    };
    struct workers_settings settings = {
        .loop = &keeper->loop,
        .folder = &keeper->folder,
        .listeners = &keeper->listeners,
        .count = config->workers ? config->workers : cores_count(),
        .states_fd = keeper->states_fd,
        .guests_fd = keeper->guests_fd,
        .guests = keeper->guests,
        .access_fd = keeper->access_fd,
        .events = &workers_events,
        .owner = keeper,
    };

    sock_group_init(&keeper->socks, &keeper->loop, QUEUED_BYTES_MAX);
    listeners_init(&keeper->listeners);
    workers_init(&keeper->workers, &settings);
    supervisor_init(&keeper->supervisor, &keeper->socks, &live_events, keeper);
    health_group_observe(&keeper->supervisor.health, answered_us, keeper);
    usage_init(&keeper->usage, &keeper->supervisor);
    publish_init(&keeper->publish, &keeper->loop, &keeper->workers, &keeper->supervisor,
                 build_table, keeper, state_number(keeper->state, EPOCH));
    keeper->publish.on_table = on_table;
    events_init(&keeper->events, clock_wall_ms());
    events_pool_init(&keeper->pool_events, &keeper->events, config->service_count);
    api_init(&keeper->api, keeper, keeper->routes, &keeper->socks, &rules);
    tick_init(&keeper->tick, config, keeper->states, &keeper->supervisor, &keeper->workers);
    outlier_watch_init(&keeper->outliers, keeper);
    ready_init(&keeper->look, on_look);
    timer_init(&keeper->start_limit, on_start_limit);
    timer_init(&keeper->look_again, on_look_again);
    keeper->crews = memory_allocate(config->service_count * sizeof(*keeper->crews));
    keeper->picture = (struct picture){
        .config = config,
        .crews = keeper->crews,
        .listeners = &keeper->listeners,
        .workers = settings.count,
    };
}

static int start(struct keeper *keeper, struct error *why)
{
    static const int heard[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, 0};
    int result = signals_start(&keeper->signals, &keeper->loop, heard, on_signal, why);

    if (result < 0)
        return result;
    takeover_begin(&keeper->takeover, &keeper->loop, &keeper->folder);
    result = keeper_bind_traffic(keeper, why);
    if (result == 0)
        result = keeper_bind_control(keeper, why);
    if (result == 0)
        result =
            signpost_write(&keeper->folder, keeper->control_addresses, keeper->control_count, why);
    if (result < 0)
        return result;
    keeper_bind_say(keeper);
    result = start_crews(keeper, why);
    if (result < 0)
        return result;
    lookup_start(&keeper->lookups, &keeper->loop, keeper->config, keeper->crews);
    loop_start_timer(&keeper->loop, &keeper->start_limit,
                     (longest_start_ms(keeper->config) + START_SLACK_MS) * CLOCK_US_PER_MS);
    keeper_look(keeper);
    return 0;
}

/* What has to be there before anything else is. */
static int found(struct keeper *keeper, struct error *why)
{
    int result = folder_open(&keeper->folder, keeper->config->state, why);

    if (result == 0)
        result = folder_lock(&keeper->folder, why);
    if (result == 0)
        result = folder_write_record(&keeper->folder, "keeper", getpid(), why);
    if (result == 0)
        result = state_open(&keeper->state, keeper->folder.state, keeper->config->is_reset, why);
    if (result == 0)
        result = segments_create_state(&keeper->states_fd, &keeper->states, why);
    if (result == 0)
        result = guests_create(&keeper->guests_fd, &keeper->guests, why);
    if (result == 0)
        result = loop_init(&keeper->loop, why);
    return result;
}

static void finish_parts(struct keeper *keeper)
{
    keeper_bind_finish(keeper);
    signals_stop(&keeper->signals);
    timer_stop(&keeper->start_limit);
    timer_stop(&keeper->look_again);
    tick_finish(&keeper->tick);
    outlier_watch_finish(&keeper->outliers);
    ready_cancel(&keeper->look);
    if (keeper->phase >= KEEPER_DRAINING)
        takeover_kill(&keeper->takeover);
    takeover_finish(&keeper->takeover);
    api_finish(&keeper->api);
    usage_finish(&keeper->usage);
    lookup_finish(&keeper->lookups);
    supervisor_finish(&keeper->supervisor);
    for (unsigned i = 0; i < keeper->config->service_count; i++) {
        if (keeper->crews[i].config)
            crew_finish(&keeper->crews[i]);
    }
    free(keeper->crews);
    publish_finish(&keeper->publish);
    workers_finish(&keeper->workers);
    listeners_finish(&keeper->listeners);
    events_pool_finish(&keeper->pool_events);
    events_finish(&keeper->events);
    loop_finish(&keeper->loop);
    sock_group_finish(&keeper->socks);
    reload_finish(&keeper->reload);
}

static int run(struct keeper *keeper)
{
    struct error why;
    int result = found(keeper, &why);

    if (result < 0) {
        fprintf(stderr, "roost: %s\n", why.text);
        return 1;
    }
    keeper->access_fd = open_access_log(keeper->config->log.access);
    init_parts(keeper);
    result = start(keeper, &why);
    if (result == 0)
        loop_run(&keeper->loop);
    else
        fprintf(stderr, "roost: %s\n", why.text);
    finish_parts(keeper);
    state_close(keeper->state);
    segments_unmap_state(keeper->states);
    guests_unmap(keeper->guests);
    descriptor_close(&keeper->states_fd);
    descriptor_close(&keeper->guests_fd);
    descriptor_close(&keeper->access_fd);
    folder_forget(&keeper->folder, "keeper");
    return result < 0 ? 1 : keeper->status;
}

int keeper_run(const struct config *config, const struct config_flags *flags,
               const struct api_route *routes)
{
    struct keeper *keeper = memory_allocate(sizeof(*keeper));
    int status;

    keeper->config = config;
    keeper->routes = routes;
    reload_init(&keeper->reload, keeper, flags);
    keeper->folder = (struct folder){.run_fd = -1, .lock_fd = -1};
    keeper->states_fd = -1;
    keeper->guests_fd = -1;
    keeper->access_fd = -1;
    keeper->started_us = clock_now_us();
    keeper->started_wall_ms = clock_wall_ms();
    descriptor_raise_limit();
    status = run(keeper);
    folder_close(&keeper->folder);
    free(keeper);
    return status;
}
