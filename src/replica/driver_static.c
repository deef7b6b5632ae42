#include "replica/driver_static.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "replica/driver_static_name.h"

struct driver_static {
    struct driver driver;
    struct loop *loop;
    unsigned count;
    struct driver_static_place places[];
};

struct static_run {
    struct driver_run run;
    struct address address;
    struct ready ready;
    struct garbage garbage;
    bool is_started;
    bool is_stopped;
};

static struct driver_static *static_of(struct driver *driver)
{
    return CONTAINER_OF(driver, struct driver_static, driver);
}

static struct static_run *run_of(struct driver_run *run)
{
    return CONTAINER_OF(run, struct static_run, run);
}

static void free_run(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct static_run, garbage));
}

static void let_go(struct driver_run *run)
{
    struct static_run *self = run_of(run);

    ready_cancel(&self->ready);
    loop_dispose(static_of(run->driver)->loop, &self->garbage, free_run);
}

/* Tells what is owed: that it started, or that it ended because we were asked to. */
static void on_ready(struct ready *ready)
{
    struct static_run *self = CONTAINER_OF(ready, struct static_run, ready);
    struct driver_started started = {.address = self->address};
    const struct driver_events *events = self->run.events;

    if (self->is_stopped) {
        if (self->is_started)
            events->on_ended(&self->run, DRIVER_KILLED, "no longer used");
        else
            events->on_failed(&self->run, -ECANCELED, "stopped before it was used");
        loop_dispose(static_of(self->run.driver)->loop, &self->garbage, free_run);
        return;
    }
    self->is_started = true;
    events->on_started(&self->run, &started);
}

static int find(const struct driver_static *self, const char *name, struct address *address)
{
    struct address read = {.size = 0};
    struct view entry = {0};
    bool is_of_host = driver_static_name_read(name, &entry, &read) == 0;

    for (unsigned i = 0; i < self->count; i++) {
        const struct driver_static_place *place = &self->places[i];

        if (place->address.size && strcmp(place->name, name) == 0) {
            *address = place->address;
            return 0;
        }
        if (place->address.size || !is_of_host || !view_equals(view_of(place->name), entry))
            continue;
        *address = read;
        address_set_port(address, place->port);
        return 0;
    }
    return -ENOENT;
}

static int start(struct driver *driver, const struct driver_order *order,
                 const struct driver_events *events, void *holder, struct driver_run **run,
                 struct error *why)
{
    struct driver_static *self = static_of(driver);
    struct static_run *started;
    struct address address;

    if (find(self, order->name, &address) < 0)
        return error_set(why, -ENOENT, "no address is configured for '%s'", order->name);
    started = memory_allocate(sizeof(*started));
    started->run = (struct driver_run){.driver = driver, .events = events, .holder = holder};
    started->address = address;
    ready_init(&started->ready, on_ready);
    loop_make_ready(self->loop, &started->ready);
    *run = &started->run;
    return 0;
}

static void stop(struct driver_run *run, uint32_t grace_ms)
{
    struct static_run *self = run_of(run);

    (void)grace_ms;
    self->is_stopped = true;
    loop_make_ready(static_of(run->driver)->loop, &self->ready);
}

static void destroy(struct driver *driver)
{
    free(static_of(driver));
}

static const struct driver_calls calls = {
    .name = "static",
    .start = start,
    .stop = stop,
    .let_go = let_go,
    .destroy = destroy,
};

struct driver *driver_static_create(struct loop *loop, const struct driver_static_place *places,
                                    unsigned count)
{
    struct driver_static *self =
        memory_allocate(sizeof(*self) + count * sizeof(struct driver_static_place));

    self->driver = (struct driver){.calls = &calls, .can_restart = false};
    self->loop = loop;
    self->count = count;
    if (count)
        memcpy(self->places, places, count * sizeof(places[0]));
    return &self->driver;
}
