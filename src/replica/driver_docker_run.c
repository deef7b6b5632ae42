#include "replica/driver_docker_run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/memory.h"
#include "replica/driver_docker_exit.h"

/* What a shell adds to the number of the signal that ended a command. */
#define SIGNAL_BASE 128

static void remove_container(struct docker_run *run);

static void pump_soon(struct driver_docker *self)
{
    loop_make_ready(self->loop, &self->pump);
}

/* ---- the end of its first process ---- */

static void close_exit(struct docker_run *run)
{
    if (run->exit.fd < 0)
        return;
    loop_remove(driver_docker_run_driver(run)->loop, &run->exit);
    descriptor_close(&run->exit.fd);
}

/* The Engine's word, which says how it ended, comes when it has cleared away behind it. */
static void on_exit_seen(struct watch *watch, uint32_t seen)
{
    struct docker_run *run = CONTAINER_OF(watch, struct docker_run, exit);

    (void)seen;
    close_exit(run);
    if (run->is_started && !run->is_dead && !run->is_stopped && run->run.events->on_ending)
        run->run.events->on_ending(&run->run, "its container has ended");
}

static void watch_exit(struct docker_run *run, pid_t pid)
{
    run->exit.fd = driver_docker_exit_open(pid, run->id);
    if (run->exit.fd >= 0 &&
        loop_add(driver_docker_run_driver(run)->loop, &run->exit, EPOLLIN, on_exit_seen) < 0)
        descriptor_close(&run->exit.fd);
}

/* ---- the end of a run ---- */

static void free_run(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct docker_run, garbage));
}

void driver_docker_run_release(struct docker_run *run)
{
    struct driver_docker *self = driver_docker_run_driver(run);

    dockhand_link_forget(&self->link, run);
    timer_stop(&run->timer);
    ready_cancel(&run->ready);
    close_exit(run);
    list_remove(&run->list);
    pump_soon(self);
    loop_dispose(self->loop, &run->garbage, free_run);
}

/* Tells the supervisor that it is over, once. */
static void tell_end(struct docker_run *run)
{
    const struct driver_events *events = run->run.events;

    if (run->is_told)
        return;
    run->is_told = true;
    if (run->is_started)
        events->on_ended(&run->run, run->end, run->end_why);
    else
        events->on_failed(&run->run, run->end_result ? run->end_result : -ENOEXEC, run->end_why);
}

static void set_end(struct docker_run *run, enum driver_end end, const char *why)
{
    if (run->is_dead)
        return;
    run->is_dead = true;
    run->end = end;
    snprintf(run->end_why, sizeof(run->end_why), "%s", why);
}

void driver_docker_run_end(struct docker_run *run, enum driver_end how, const char *why)
{
    set_end(run, how, why);
    if (!run->is_stopped)
        tell_end(run);
    if (run->id[0]) {
        remove_container(run);
        return;
    }
    tell_end(run);
    driver_docker_run_release(run);
}

static void try_again(struct docker_run *run)
{
    loop_start_timer(driver_docker_run_driver(run)->loop, &run->timer, DRIVER_DOCKER_AGAIN_US);
}

bool driver_docker_run_is_absence(int result)
{
    return result == -EHOSTDOWN || result == -ETIMEDOUT || result == -ENOTCONN;
}

static bool has_time(const struct docker_run *run)
{
    return driver_docker_run_driver(run)->loop->now_us < run->give_up_us;
}

/* ---- remove ---- */

static void on_removed(void *owner, int result, const json_t *answer, const char *why)
{
    struct docker_run *run = owner;

    (void)answer;
    if (result == -EAGAIN || driver_docker_run_is_absence(result)) {
        /* Nobody waits for ever: what is left is found and removed by a later list. */
        if (run->is_stopped && !has_time(run))
            tell_end(run);
        try_again(run);
        return;
    }
    if (result < 0 && result != -ENOENT)
        log_event(LOG_WARN, "docker.not_removed", LOG_TEXT("container", run->name),
                  LOG_TEXT("reason", why));
    tell_end(run);
    driver_docker_run_release(run);
}

static void remove_container(struct docker_run *run)
{
    const struct dockhand_link_order order = {
        .verb = "remove", .container = run->id, .done = on_removed, .owner = run};

    run->state = RUN_REMOVING;
    if (!run->give_up_us)
        run->give_up_us = driver_docker_run_driver(run)->loop->now_us + DRIVER_DOCKER_SLACK_US;
    dockhand_link_give(&driver_docker_run_driver(run)->link, &order);
}

/* ---- stop ---- */

static void on_stopped(void *owner, int result, const json_t *answer, const char *why)
{
    struct docker_run *run = owner;
    char text[DRIVER_WHY_BYTES];

    (void)answer;
    if (run->state != RUN_STOPPING)
        return;
    if (result == 0 || result == -ENOENT) {
        driver_docker_run_end(run, DRIVER_KILLED, "stopped");
        return;
    }
    if (has_time(run)) {
        try_again(run);
        return;
    }
    snprintf(text, sizeof(text), "cannot be stopped: %.400s", why);
    log_event(LOG_ERROR, "docker.not_stopped", LOG_TEXT("container", run->name),
              LOG_TEXT("reason", why));
    driver_docker_run_end(run, DRIVER_LOST, text);
}

static void order_stop(struct docker_run *run)
{
    const struct dockhand_link_order order = {.verb = "stop",
                                              .container = run->id,
                                              .grace_s = run->grace_s,
                                              .done = on_stopped,
                                              .owner = run};

    run->state = RUN_STOPPING;
    dockhand_link_give(&driver_docker_run_driver(run)->link, &order);
}

static void on_over(struct ready *ready)
{
    driver_docker_run_end(CONTAINER_OF(ready, struct docker_run, ready), DRIVER_KILLED,
                          "stopped before it was started");
}

void driver_docker_run_stop(struct docker_run *run, uint32_t grace_ms)
{
    struct driver_docker *self = driver_docker_run_driver(run);
    uint64_t until_us = self->loop->now_us + grace_ms * CLOCK_US_PER_MS + DRIVER_DOCKER_SLACK_US;
    uint32_t grace_s = (grace_ms + 999) / 1000;

    if (run->is_stopped && grace_s >= run->grace_s)
        return;
    run->is_stopped = true;
    run->grace_s = grace_s < DOCKHAND_ORDER_GRACE_S_MAX ? grace_s : DOCKHAND_ORDER_GRACE_S_MAX;
    run->give_up_us = until_us;
    if (run->state == RUN_RUNNING || run->state == RUN_STOPPING ||
        (run->state == RUN_QUEUED && run->is_adopted))
        order_stop(run);
    else if (run->state == RUN_QUEUED)
        loop_make_ready(self->loop, &run->ready);
}

/* ---- start ---- */

static bool is_running(const json_t *answer)
{
    return json_is_true(json_object_get(answer, "running"));
}

/* How one ended, by its exit status as the Engine has it. */
static enum driver_end explain(const struct docker_run *run, int code, char *text, size_t capacity)
{
    int number = code - SIGNAL_BASE;
    const char *name = number > 0 ? sigabbrev_np(number) : NULL;

    if (run->has_oom)
        snprintf(text, capacity, "out of memory");
    else if (name)
        snprintf(text, capacity, "SIG%s", name);
    else
        snprintf(text, capacity, "exit status %d", code);
    if (run->has_oom || (number != SIGKILL && number != SIGTERM && number != SIGINT))
        return DRIVER_EXITED;
    return DRIVER_KILLED;
}

static void tell_started(struct docker_run *run, const struct address *address, json_int_t pid)
{
    struct driver_started started = {.address = *address};

    if (pid > 0 && pid <= INT32_MAX)
        started.container_pid = (pid_t)pid;
    snprintf(started.handle, sizeof(started.handle), "%s", run->id);
    run->state = RUN_RUNNING;
    run->is_started = true;
    watch_exit(run, started.container_pid);
    run->run.events->on_started(&run->run, &started);
}

/* It has ended before it was known to run. */
static void end_early(struct docker_run *run, const json_t *answer)
{
    int code = (int)json_integer_value(json_object_get(answer, "exit_code"));
    char text[64];
    char why[DRIVER_WHY_BYTES];

    run->has_oom |= json_is_true(json_object_get(answer, "oom"));
    explain(run, code, text, sizeof(text));
    snprintf(why, sizeof(why), "its container ended at once: %s", text);
    if (run->is_adopted)
        run->id[0] = '\0'; /* not ours to remove: the next start finds it in its way */
    driver_docker_run_end(run, DRIVER_EXITED, why);
}

static void on_start_answer(void *owner, int result, const json_t *answer, const char *why)
{
    struct docker_run *run = owner;
    const char *ip = json_string_value(json_object_get(answer, "address"));
    const char *replica = json_string_value(json_object_get(answer, "replica"));
    struct address address;

    if (run->is_dead) { /* an event was faster */
        driver_docker_run_end(run, run->end, run->end_why);
        return;
    }
    if (result < 0) {
        if (run->is_adopted)
            run->id[0] = '\0';
        driver_docker_run_end(run, DRIVER_LOST, why);
        return;
    }
    if (!is_running(answer)) {
        end_early(run, answer);
        return;
    }
    if (run->is_adopted && (!replica || strcmp(replica, run->replica) != 0)) {
        run->id[0] = '\0';
        driver_docker_run_end(run, DRIVER_LOST, "the container is another replica's");
        return;
    }
    if (address_from_ip(view_of(ip), driver_docker_run_driver(run)->port, &address) < 0) {
        driver_docker_run_end(run, DRIVER_LOST, "the container has no address on its network");
        return;
    }
    run->known_us = driver_docker_run_driver(run)->loop->now_us;
    if (run->is_stopped)
        order_stop(run);
    else
        tell_started(run, &address, json_integer_value(json_object_get(answer, "pid")));
    pump_soon(driver_docker_run_driver(run));
}

static void order_start(struct docker_run *run, const char *verb)
{
    const struct dockhand_link_order order = {
        .verb = verb, .container = run->id, .done = on_start_answer, .owner = run};

    run->state = RUN_STARTING;
    dockhand_link_give(&driver_docker_run_driver(run)->link, &order);
}

/* ---- its own end ---- */

void driver_docker_run_note_exit(struct docker_run *run, int code)
{
    char why[DRIVER_WHY_BYTES];
    enum driver_end how = explain(run, code, why, sizeof(why));

    if (run->state == RUN_STARTING)
        set_end(run, how, why); /* the answer to the start is on its way */
    else if (run->state == RUN_RUNNING || run->state == RUN_STOPPING)
        driver_docker_run_end(run, how, why);
}

/* ---- create ---- */

static void order_create(struct docker_run *run);

static void on_cleared(void *owner, int result, const json_t *answer, const char *why)
{
    struct docker_run *run = owner;

    (void)answer;
    if (result < 0 && result != -ENOENT && result != -EAGAIN) {
        driver_docker_run_end(run, DRIVER_LOST, why);
        return;
    }
    if (result == -EAGAIN)
        try_again(run);
    else
        order_create(run);
}

/* Of an earlier life of the same replica, or of a start that nobody has heard the end of. */
static void clear_away(struct docker_run *run, const char *container)
{
    const struct dockhand_link_order order = {
        .verb = "remove", .container = container, .done = on_cleared, .owner = run};

    dockhand_link_give(&driver_docker_run_driver(run)->link, &order);
}

/* The Engine is away. What nobody waits for goes back into the queue. */
static void wait_for_engine(struct docker_run *run, const char *why)
{
    if (!run->may_wait || run->is_stopped) {
        driver_docker_run_end(run, DRIVER_LOST, why);
        return;
    }
    run->state = RUN_QUEUED;
    run->tries = 0;
}

static void on_created(void *owner, int result, const json_t *answer, const char *why)
{
    struct docker_run *run = owner;
    struct driver_docker *self = driver_docker_run_driver(run);
    const char *id = json_string_value(json_object_get(answer, "container"));

    if (result == 0 && id) {
        snprintf(run->id, sizeof(run->id), "%s", id);
        if (run->is_stopped)
            driver_docker_run_end(run, DRIVER_KILLED, "stopped before it was started");
        else
            order_start(run, "start");
        return;
    }
    if (result == -EHOSTDOWN || result == -ENOTCONN) {
        wait_for_engine(run, why);
        return;
    }
    if (run->is_stopped || ++run->tries >= DRIVER_DOCKER_TRIES_MAX) {
        driver_docker_run_end(run, DRIVER_LOST, why);
        return;
    }
    if (result == -EALREADY && id) {
        clear_away(run, id);
        return;
    }
    if (result == -EADDRINUSE) {
        driver_docker_name_make(self->node, self->service, run->replica, true, run->name);
        order_create(run);
        return;
    }
    if (result == -EAGAIN) {
        try_again(run);
        return;
    }
    run->end_result = result;
    driver_docker_run_end(run, DRIVER_LOST, why);
}

static void order_create(struct docker_run *run)
{
    const struct dockhand_link_order order = {.verb = "create",
                                              .name = run->name,
                                              .replica = run->replica,
                                              .done = on_created,
                                              .owner = run};

    run->state = RUN_CREATING;
    dockhand_link_give(&driver_docker_run_driver(run)->link, &order);
}

/* What failed, once more. */
static void on_timer(struct timer *timer)
{
    struct docker_run *run = CONTAINER_OF(timer, struct docker_run, timer);

    switch (run->state) {
    case RUN_QUEUED:
        if (driver_docker_run_driver(run)->presence != PRESENCE_HERE)
            driver_docker_run_end(run, DRIVER_LOST, driver_docker_run_driver(run)->away_why);
        else
            loop_start_timer(driver_docker_run_driver(run)->loop, timer, DRIVER_DOCKER_AWAY_US);
        return;
    case RUN_CREATING:
        order_create(run);
        return;
    case RUN_STOPPING:
        order_stop(run);
        return;
    case RUN_REMOVING:
        remove_container(run);
        return;
    default:
        return;
    }
}

/* ---- whose turn it is ---- */

/* An earlier container of the same name is on its way out: it is waited for. */
static bool is_in_the_way(const struct driver_docker *self, const struct docker_run *of)
{
    LIST_FOR_EACH (at, &self->runs) {
        const struct docker_run *run = CONTAINER_OF(at, struct docker_run, list);

        if (run == of)
            return false;
        if (run->state == RUN_REMOVING && strcmp(run->name, of->name) == 0)
            return true;
    }
    return false;
}

static unsigned count_starts(const struct driver_docker *self)
{
    unsigned count = 0;

    LIST_FOR_EACH (at, &self->runs) {
        enum run_state state = CONTAINER_OF(at, struct docker_run, list)->state;

        count += state == RUN_CREATING || state == RUN_STARTING;
    }
    return count;
}

void driver_docker_run_pump(struct ready *ready)
{
    struct driver_docker *self = CONTAINER_OF(ready, struct driver_docker, pump);
    unsigned starts = count_starts(self);

    if (self->presence != PRESENCE_HERE)
        return;
    LIST_FOR_EACH (at, &self->runs) {
        struct docker_run *run = CONTAINER_OF(at, struct docker_run, list);

        if (starts >= DRIVER_DOCKER_STARTS_MAX)
            return;
        if (run->state != RUN_QUEUED || run->is_stopped || is_in_the_way(self, run))
            continue;
        timer_stop(&run->timer);
        if (run->is_adopted)
            order_start(run, "inspect");
        else
            order_create(run);
        starts++;
    }
}

struct docker_run *driver_docker_run_create(struct driver_docker *self,
                                            const struct driver_order *order,
                                            const struct driver_events *events, void *holder)
{
    struct docker_run *run = memory_allocate(sizeof(*run));

    run->run = (struct driver_run){.driver = &self->driver, .events = events, .holder = holder};
    snprintf(run->replica, sizeof(run->replica), "%s", order->name);
    driver_docker_name_make(self->node, self->service, order->name, false, run->name);
    run->may_wait = order->may_wait;
    run->exit.fd = -1;
    timer_init(&run->timer, on_timer);
    ready_init(&run->ready, on_over);
    list_init(&run->list);
    list_append(&self->runs, &run->list);
    if (!run->may_wait)
        loop_start_timer(self->loop, &run->timer, DRIVER_DOCKER_AWAY_US);
    pump_soon(self);
    return run;
}
