/* A driver that runs nothing: what a test says happens to its runs. */
#pragma once

#include "any_replica.h"

#include "replica/driver.h"

#define ANY_RUNS_MAX 4096

enum any_start { ANY_STARTS, ANY_CANNOT, ANY_FAILS, ANY_ENDS };

/* One start or adoption. */
struct any_run {
    struct driver_run run;
    struct ready ready;
    struct garbage garbage;
    char name[DRIVER_NAME_BYTES];
    uint64_t at_us;
    uint16_t port;
    uint32_t grace_ms;
    bool is_adopted;
    bool had_previous;
    bool is_stopped;
    bool is_stubborn; /* ends with grace 0 only */
    bool is_live;
};

struct any_driver {
    struct driver driver;
    enum any_start starts; /* what happens to the next ones */
    bool is_stubborn;
    unsigned count;
    struct any_run *runs[ANY_RUNS_MAX];
    const char *found[4][2]; /* name and handle of what list() finds */
    struct ready listing;
    driver_found_fn on_found;
    void *found_owner;
};

static inline struct any_driver *any_driver_of(struct driver *driver)
{
    return CONTAINER_OF(driver, struct any_driver, driver);
}

static inline void any_run_finish(struct any_run *run)
{
    run->is_live = false;
    ready_cancel(&run->ready);
}

/* It ends now. */
static inline void any_run_end(struct any_run *run, enum driver_end end, const char *why)
{
    assert_true(run->is_live);
    any_run_finish(run);
    run->run.events->on_ended(&run->run, end, why);
}

static inline void any_run_go_on(struct ready *ready)
{
    struct any_run *run = CONTAINER_OF(ready, struct any_run, ready);
    struct any_driver *self = any_driver_of(run->run.driver);
    struct driver_started started = {.pid = 1000 + run->port};

    if (run->is_stopped) {
        any_run_end(run, DRIVER_KILLED, "killed by SIGTERM");
        return;
    }
    if (self->starts == ANY_FAILS) {
        any_run_finish(run);
        run->run.events->on_failed(&run->run, -ENOEXEC, "cannot run './app'");
        return;
    }
    assert_int_equal(0, address_from_ip(VIEW("127.0.0.1"), run->port, &started.address));
    snprintf(started.handle, sizeof(started.handle), "port=%u", run->port);
    run->run.events->on_started(&run->run, &started);
    if (self->starts == ANY_ENDS)
        any_run_end(run, DRIVER_EXITED, "exit status 1");
}

static inline struct any_run *any_run_create(struct driver *driver,
                                             const struct driver_order *order,
                                             const struct driver_events *events, void *holder)
{
    struct any_driver *self = any_driver_of(driver);
    struct any_run *run = memory_allocate(sizeof(*run));

    assert_true(self->count < ANY_RUNS_MAX);
    self->runs[self->count++] = run;
    run->run = (struct driver_run){.driver = driver, .events = events, .holder = holder};
    snprintf(run->name, sizeof(run->name), "%s", order->name);
    run->at_us = any_now_us;
    run->is_stubborn = self->is_stubborn;
    run->had_previous = order->previous != NULL;
    run->port = order->previous ? address_port(order->previous) : (uint16_t)(4000 + self->count);
    run->is_live = true;
    ready_init(&run->ready, any_run_go_on);
    loop_make_ready(&any_loop, &run->ready);
    return run;
}

static inline int any_driver_start(struct driver *driver, const struct driver_order *order,
                                   const struct driver_events *events, void *holder,
                                   struct driver_run **run, struct error *why)
{
    if (any_driver_of(driver)->starts == ANY_CANNOT)
        return error_set(why, -EAGAIN, "no process can be had");
    *run = &any_run_create(driver, order, events, holder)->run;
    return 0;
}

static inline int any_driver_adopt(struct driver *driver, const struct driver_order *order,
                                   const char *handle, const struct driver_events *events,
                                   void *holder, struct driver_run **run, struct error *why)
{
    struct any_run *adopted;
    unsigned port;

    if (sscanf(handle, "port=%u", &port) != 1)
        return error_set(why, -ESRCH, "it is gone");
    adopted = any_run_create(driver, order, events, holder);
    adopted->port = (uint16_t)port;
    adopted->is_adopted = true;
    *run = &adopted->run;
    return 0;
}

static inline void any_driver_listing(struct ready *ready)
{
    struct any_driver *self = CONTAINER_OF(ready, struct any_driver, listing);

    for (unsigned i = 0; i < ARRAY_SIZE(self->found) && self->found[i][0]; i++)
        self->on_found(self->found_owner, self->found[i][0], self->found[i][1], NULL);
    self->on_found(self->found_owner, NULL, NULL, NULL);
}

static inline void any_driver_list(struct driver *driver, driver_found_fn on_found, void *owner)
{
    struct any_driver *self = any_driver_of(driver);

    self->on_found = on_found;
    self->found_owner = owner;
    loop_make_ready(&any_loop, &self->listing);
}

static inline void any_driver_stop(struct driver_run *driver_run, uint32_t grace_ms)
{
    struct any_run *run = CONTAINER_OF(driver_run, struct any_run, run);

    assert_true(run->is_live);
    run->grace_ms = grace_ms;
    run->is_stopped = true;
    if (!run->is_stubborn || grace_ms == 0)
        loop_make_ready(&any_loop, &run->ready);
}

static inline void any_driver_let_go(struct driver_run *driver_run)
{
    any_run_finish(CONTAINER_OF(driver_run, struct any_run, run));
}

static const struct driver_calls any_driver_calls = {
    .name = "any",
    .start = any_driver_start,
    .adopt = any_driver_adopt,
    .list = any_driver_list,
    .stop = any_driver_stop,
    .let_go = any_driver_let_go,
};

static inline void any_driver_begin(struct any_driver *self)
{
    *self = (struct any_driver){.driver = {.calls = &any_driver_calls, .can_restart = true}};
    ready_init(&self->listing, any_driver_listing);
}

static inline void any_driver_finish(struct any_driver *self)
{
    ready_cancel(&self->listing);
    for (unsigned i = 0; i < self->count; i++)
        free(self->runs[i]);
}

/* The last run of that name, or NULL. */
static inline struct any_run *any_driver_last(struct any_driver *self, const char *name)
{
    for (unsigned i = self->count; i-- > 0;) {
        if (strcmp(self->runs[i]->name, name) == 0)
            return self->runs[i];
    }
    return NULL;
}
