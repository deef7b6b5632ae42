#include "replica/driver_docker_watch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* ---- what the Engine tells ---- */

static void set_here(struct driver_docker *self)
{
    if (self->presence == PRESENCE_AWAY)
        log_event(LOG_INFO, "docker.here", LOG_TEXT("service", self->service));
    self->presence = PRESENCE_HERE;
    loop_make_ready(self->loop, &self->pump);
}

static void set_away(struct driver_docker *self, const char *why)
{
    if (self->presence != PRESENCE_AWAY)
        log_event(LOG_ERROR, "docker.away", LOG_TEXT("service", self->service),
                  LOG_TEXT("reason", why));
    self->presence = PRESENCE_AWAY;
    snprintf(self->away_why, sizeof(self->away_why), "%s", why);
}

static struct docker_run *find_by_id(const struct driver_docker *self, const char *id)
{
    LIST_FOR_EACH (at, &self->runs) {
        struct docker_run *run = CONTAINER_OF(at, struct docker_run, list);

        if (run->id[0] && strcmp(run->id, id) == 0)
            return run;
    }
    return NULL;
}

static void handle_pause(struct docker_run *run)
{
    log_event(LOG_WARN, "docker.paused",
              LOG_TEXT("service", driver_docker_run_driver(run)->service),
              LOG_TEXT("replica", run->replica), LOG_TEXT("container", run->name));
}

static void handle_unpause(struct docker_run *run)
{
    log_event(LOG_INFO, "docker.unpaused",
              LOG_TEXT("service", driver_docker_run_driver(run)->service),
              LOG_TEXT("replica", run->replica), LOG_TEXT("container", run->name));
}

static void handle_event(struct driver_docker *self, const char *event, const json_t *item)
{
    const char *id = json_string_value(json_object_get(item, "container"));
    struct docker_run *run = id ? find_by_id(self, id) : NULL;

    self->seen_ns = json_integer_value(json_object_get(item, "time"));
    if (!run)
        return;
    if (strcmp(event, "die") == 0)
        driver_docker_run_note_exit(run,
                                    (int)json_integer_value(json_object_get(item, "exit_code")));
    else if (strcmp(event, "oom") == 0)
        run->has_oom = true;
    else if (strcmp(event, "pause") == 0)
        handle_pause(run);
    else if (strcmp(event, "unpause") == 0)
        handle_unpause(run);
}

static void look(struct driver_docker *self);

static void on_event(void *owner, const json_t *item)
{
    struct driver_docker *self = owner;
    const char *event = json_string_value(json_object_get(item, "event"));

    if (!event)
        return;
    if (strcmp(event, "opened") != 0) {
        handle_event(self, event, item);
        return;
    }
    set_here(self);
    look(self);
}

static void on_events_ended(void *owner, int result, const json_t *answer, const char *why)
{
    struct driver_docker *self = owner;

    (void)result;
    (void)answer;
    self->hears = false;
    set_away(self, why);
    loop_start_timer(self->loop, &self->look, DRIVER_DOCKER_AGAIN_US);
}

/* From where we last heard something on, so that nothing is missed in between. */
static void listen_to_events(struct driver_docker *self)
{
    char since[DOCKHAND_ORDER_SINCE_BYTES] = "";
    const struct dockhand_link_order order = {.verb = "events",
                                              .since = since,
                                              .on_item = on_event,
                                              .done = on_events_ended,
                                              .owner = self};

    if (self->seen_ns)
        snprintf(since, sizeof(since), "%" PRId64 ".%09" PRId64, self->seen_ns / 1000000000,
                 self->seen_ns % 1000000000);
    self->hears = true;
    dockhand_link_give(&self->link, &order);
}

/* ---- what is there, compared with what should be ---- */

static void on_junk_removed(void *owner, int result, const json_t *answer, const char *why)
{
    (void)owner;
    (void)result;
    (void)answer;
    (void)why;
}

static bool is_expected(const struct driver_docker *self, const char *replica)
{
    LIST_FOR_EACH (at, &self->runs) {
        const struct docker_run *run = CONTAINER_OF(at, struct docker_run, list);

        if (run->state == RUN_CREATING && strcmp(run->replica, replica) == 0)
            return true;
    }
    return false;
}

/* A container that has ended and that no run knows: of an earlier keeper, or of a start that timed
 * out. */
static void remove_junk(struct driver_docker *self, const char *id, const char *replica)
{
    const struct dockhand_link_order order = {
        .verb = "remove", .container = id, .done = on_junk_removed, .owner = self};

    if (!is_expected(self, replica))
        dockhand_link_give(&self->link, &order);
}

static bool is_alive(const char *state)
{
    return strcmp(state, "running") == 0 || strcmp(state, "paused") == 0 ||
           strcmp(state, "restarting") == 0;
}

static void on_look_item(void *owner, const json_t *item)
{
    struct driver_docker *self = owner;
    const char *id = json_string_value(json_object_get(item, "container"));
    const char *state = json_string_value(json_object_get(item, "state"));
    const char *replica = json_string_value(json_object_get(item, "replica"));
    struct docker_run *run = id ? find_by_id(self, id) : NULL;

    if (!id || !state || !replica)
        return;
    if (run && is_alive(state))
        run->known_us = self->loop->now_us;
    if (!run && !is_alive(state))
        remove_junk(self, id, replica);
}

/* Those that were not in the list have ended without our hearing of it. */
static void reconcile(struct driver_docker *self)
{
    LIST_FOR_EACH (at, &self->runs) {
        struct docker_run *run = CONTAINER_OF(at, struct docker_run, list);

        if (run->known_us >= self->looked_us)
            continue;
        if (run->state == RUN_RUNNING)
            driver_docker_run_end(run, DRIVER_LOST, "its container has ended");
        else if (run->state == RUN_STOPPING)
            driver_docker_run_end(run, DRIVER_KILLED, "stopped");
    }
}

static void on_looked(void *owner, int result, const json_t *answer, const char *why)
{
    struct driver_docker *self = owner;

    (void)answer;
    self->looks = false;
    if (result < 0) {
        set_away(self, why);
        loop_start_timer(self->loop, &self->look, DRIVER_DOCKER_AGAIN_US);
        return;
    }
    if (self->hears)
        set_here(self);
    reconcile(self);
    loop_start_timer(self->loop, &self->look, DRIVER_DOCKER_LOOK_US);
}

static void look(struct driver_docker *self)
{
    const struct dockhand_link_order order = {
        .verb = "list", .on_item = on_look_item, .done = on_looked, .owner = self};

    if (self->looks)
        return;
    self->looks = true;
    self->looked_us = self->loop->now_us;
    dockhand_link_give(&self->link, &order);
}

static void on_look(struct timer *timer)
{
    struct driver_docker *self = CONTAINER_OF(timer, struct driver_docker, look);

    if (!self->hears)
        listen_to_events(self);
    else
        look(self);
}

/* ---- list ---- */

static void on_found_item(void *owner, const json_t *item)
{
    struct driver_docker *self = owner;
    const char *id = json_string_value(json_object_get(item, "container"));
    const char *state = json_string_value(json_object_get(item, "state"));
    const char *replica = json_string_value(json_object_get(item, "replica"));

    if (id && state && replica && is_alive(state))
        self->on_found(self->found_owner, replica, id, NULL);
}

static void ask_list(struct driver_docker *self);

static void on_found_all(void *owner, int result, const json_t *answer, const char *why)
{
    struct driver_docker *self = owner;
    driver_found_fn on_found = self->on_found;

    (void)answer;
    if (driver_docker_run_is_absence(result) && self->loop->now_us < self->found_until_us) {
        loop_start_timer(self->loop, &self->relist, DRIVER_DOCKER_AGAIN_US);
        return;
    }
    self->on_found = NULL;
    on_found(self->found_owner, NULL, NULL, result < 0 ? why : NULL);
}

static void ask_list(struct driver_docker *self)
{
    const struct dockhand_link_order order = {
        .verb = "list", .on_item = on_found_item, .done = on_found_all, .owner = self};

    dockhand_link_give(&self->link, &order);
}

static void on_relist(struct timer *timer)
{
    ask_list(CONTAINER_OF(timer, struct driver_docker, relist));
}

void driver_docker_watch_list(struct driver_docker *self, driver_found_fn on_found, void *owner)
{
    assert(!self->on_found);
    self->on_found = on_found;
    self->found_owner = owner;
    self->found_until_us = self->loop->now_us + DRIVER_DOCKER_AWAY_US;
    ask_list(self);
}

/* ---- birth and end ---- */

void driver_docker_watch_init(struct driver_docker *self)
{
    timer_init(&self->look, on_look);
    timer_init(&self->relist, on_relist);
}

void driver_docker_watch_start(struct driver_docker *self)
{
    listen_to_events(self);
}

void driver_docker_watch_lost(struct driver_docker *self)
{
    set_away(self, "the dockhand has ended");
}

void driver_docker_watch_finish(struct driver_docker *self)
{
    timer_stop(&self->look);
    timer_stop(&self->relist);
}
