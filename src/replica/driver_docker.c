#include "replica/driver_docker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "replica/driver_docker_watch.h"
#include "replica/engine.h"

static struct driver_docker *docker_of(struct driver *driver)
{
    return CONTAINER_OF(driver, struct driver_docker, driver);
}

static struct docker_run *run_of(struct driver_run *run)
{
    return CONTAINER_OF(run, struct docker_run, run);
}

static int start(struct driver *driver, const struct driver_order *order,
                 const struct driver_events *events, void *holder, struct driver_run **run,
                 struct error *why)
{
    (void)why;
    *run = &driver_docker_run_create(docker_of(driver), order, events, holder)->run;
    return 0;
}

static int adopt(struct driver *driver, const struct driver_order *order, const char *handle,
                 const struct driver_events *events, void *holder, struct driver_run **run,
                 struct error *why)
{
    struct docker_run *adopted;

    if (!dockhand_order_is_container(handle))
        return error_set(why, -EINVAL, "'%s' is no handle of a container", handle);
    adopted = driver_docker_run_create(docker_of(driver), order, events, holder);
    adopted->is_adopted = true;
    snprintf(adopted->id, sizeof(adopted->id), "%s", handle);
    *run = &adopted->run;
    return 0;
}

static void stop(struct driver_run *run, uint32_t grace_ms)
{
    driver_docker_run_stop(run_of(run), grace_ms);
}

static void let_go(struct driver_run *run)
{
    driver_docker_run_release(run_of(run));
}

static void list(struct driver *driver, driver_found_fn on_found, void *owner)
{
    driver_docker_watch_list(docker_of(driver), on_found, owner);
}

/* All that was ordered was answered with -ENOTCONN. */
static void on_lost(void *owner)
{
    driver_docker_watch_lost(owner);
}

static void destroy(struct driver *driver)
{
    struct driver_docker *self = docker_of(driver);

    LIST_FOR_EACH (at, &self->runs) {
        struct docker_run *run = CONTAINER_OF(at, struct docker_run, list);

        assert(run->is_told);
        driver_docker_run_release(run);
    }
    dockhand_link_finish(&self->link);
    ready_cancel(&self->pump);
    driver_docker_watch_finish(self);
    free(self);
}

static const struct driver_calls calls = {
    .name = "docker",
    .start = start,
    .adopt = adopt,
    .list = list,
    .stop = stop,
    .let_go = let_go,
    .destroy = destroy,
};

int driver_docker_create(struct loop *loop, const struct dockhand_charter *charter,
                         dockhand_link_launch_fn launch, void *launch_owner, struct driver **driver,
                         struct error *why)
{
    int result = engine_check_host(getenv("DOCKER_HOST"), why);
    struct driver_docker *self;

    if (result < 0)
        return result;
    self = memory_allocate(sizeof(*self));
    self->driver = (struct driver){.calls = &calls, .can_restart = true};
    self->loop = loop;
    self->port = charter->port;
    memcpy(self->node, charter->node, sizeof(self->node));
    memcpy(self->service, charter->service, sizeof(self->service));
    list_init(&self->runs);
    ready_init(&self->pump, driver_docker_run_pump);
    driver_docker_watch_init(self);
    result =
        dockhand_link_init(&self->link, loop, charter, launch, launch_owner, on_lost, self, why);
    if (result < 0) {
        free(self);
        return result;
    }
    driver_docker_watch_start(self);
    *driver = &self->driver;
    return 0;
}
