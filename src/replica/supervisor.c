#include "replica/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "replica/batch.h"
#include "replica/life.h"

/* A driver that is being asked what it runs. */
struct listing {
    struct list list;
    struct supervisor *supervisor; /* NULL: nobody wants to know any more */
    const struct replica_plan *plan;
};

/* Whose turn it is, out of its queue; NULL where all have to wait. */
static struct replica *next_to_start(struct supervisor *supervisor)
{
    struct replica *replica = LIST_FIRST(&supervisor->heals, struct replica, queue);

    if (!replica && supervisor->starting < SUPERVISOR_STARTS_MAX) {
        replica = LIST_FIRST(&supervisor->queue, struct replica, queue);
        if (!replica)
            return NULL;
        replica->takes_slot = true;
        supervisor->starting++;
    }
    if (replica)
        list_remove(&replica->queue);
    return replica;
}

static void start_queued(struct supervisor *supervisor)
{
    for (unsigned i = 0; i < SUPERVISOR_TURN_STARTS_MAX; i++) {
        struct replica *replica = next_to_start(supervisor);

        if (!replica)
            return;
        life_launch(replica);
    }
    loop_make_ready(supervisor->loop, &supervisor->ready);
}

static void bury_gone(struct supervisor *supervisor)
{
    while (!list_is_empty(&supervisor->gone))
        life_bury(LIST_FIRST(&supervisor->gone, struct replica, queue));
}

static void on_ready(struct ready *ready)
{
    struct supervisor *supervisor = CONTAINER_OF(ready, struct supervisor, ready);
    supervisor_fn done = supervisor->on_stopped;

    batch_run_done(supervisor);
    bury_gone(supervisor);
    start_queued(supervisor);
    if (!supervisor->is_stopping || !done || supervisor->count ||
        !list_is_empty(&supervisor->listings))
        return;
    supervisor->on_stopped = NULL;
    done(supervisor->stop_owner);
}

void supervisor_init(struct supervisor *supervisor, struct sock_group *socks,
                     const struct supervisor_events *events, void *owner)
{
    *supervisor = (struct supervisor){.loop = socks->loop, .events = events, .owner = owner};
    health_group_init(&supervisor->health, socks);
    ports_init(&supervisor->ports);
    list_init(&supervisor->all);
    list_init(&supervisor->heals);
    list_init(&supervisor->queue);
    list_init(&supervisor->gone);
    list_init(&supervisor->batches);
    list_init(&supervisor->listings);
    ready_init(&supervisor->ready, on_ready);
}

void supervisor_finish(struct supervisor *supervisor)
{
    LIST_FOR_EACH (at, &supervisor->all)
        life_let_go(CONTAINER_OF(at, struct replica, list));
    /* The drivers still know these; they go with their last word. */
    LIST_FOR_EACH (at, &supervisor->listings) {
        CONTAINER_OF(at, struct listing, list)->supervisor = NULL;
        list_remove(at);
    }
    batch_forget_all(supervisor);
    ready_cancel(&supervisor->ready);
    health_group_finish(&supervisor->health);
    ports_finish(&supervisor->ports);
}

/* ---- what is wanted ---- */

static bool is_same_service(const struct replica_plan *plan, const char *service)
{
    return strcmp(plan->service, service) == 0;
}

struct replica *supervisor_find(const struct supervisor *supervisor, const char *service,
                                const char *name)
{
    LIST_FOR_EACH (at, &supervisor->all) {
        struct replica *replica = CONTAINER_OF(at, struct replica, list);

        if (!replica_is_leaving(replica) && is_same_service(replica->plan, service) &&
            strcmp(replica->name, name) == 0)
            return replica;
    }
    return NULL;
}

static bool is_repeated(const struct supervisor_wish *wishes, unsigned at)
{
    for (unsigned i = 0; i < at; i++) {
        if (strcmp(wishes[i].name, wishes[at].name) == 0 &&
            is_same_service(wishes[i].plan, wishes[at].plan->service))
            return true;
    }
    return false;
}

static int check_wishes(const struct supervisor *supervisor, const struct supervisor_wish *wishes,
                        unsigned count, struct error *why)
{
    if (supervisor->is_stopping)
        return error_set(why, -ESHUTDOWN, "roost is stopping");
    if (count > REPLICA_SEATS_MAX - supervisor->count)
        return error_set(why, -ENOSPC, "there would be more than %d replicas", REPLICA_SEATS_MAX);
    for (unsigned i = 0; i < count; i++) {
        const char *name = wishes[i].name;

        if (strlen(name) >= DRIVER_NAME_BYTES)
            return error_set(why, -EINVAL, "'%.64s…' is longer than %d bytes", name,
                             DRIVER_NAME_BYTES - 1);
        if (is_repeated(wishes, i) || supervisor_find(supervisor, wishes[i].plan->service, name))
            return error_set(why, -EEXIST, "there is a replica '%s' already", name);
    }
    return 0;
}

int supervisor_add(struct supervisor *supervisor, const struct supervisor_wish *wishes,
                   unsigned count, supervisor_added_fn done, void *owner, struct error *why)
{
    struct batch *batch;
    int result = check_wishes(supervisor, wishes, count, why);

    if (result < 0)
        return result;
    for (unsigned i = 0; i < count; i++) {
        if (!wishes[i].plan->driver->can_restart)
            return error_set(why, -ENOTSUP, "the replicas of '%s' are run by somebody else",
                             wishes[i].plan->service);
    }
    batch = batch_create(supervisor, count, done, owner);
    for (unsigned i = 0; i < count; i++) {
        struct replica *replica = life_create(supervisor, wishes[i].name, wishes[i].plan);

        batch_join(batch, replica);
        life_enqueue(replica);
    }
    batch_note_ready(batch);
    return 0;
}

/* ---- what runs already ---- */

static bool is_known(const struct supervisor *supervisor, const struct driver *driver,
                     const char *handle)
{
    LIST_FOR_EACH (at, &supervisor->all) {
        const struct replica *replica = CONTAINER_OF(at, struct replica, list);

        if (replica->plan->driver == driver && strcmp(replica->handle, handle) == 0)
            return true;
    }
    return false;
}

static struct replica *find_waiting(const struct supervisor *supervisor,
                                    const struct driver *driver, const char *name)
{
    LIST_FOR_EACH (at, &supervisor->all) {
        struct replica *replica = CONTAINER_OF(at, struct replica, list);

        if (replica->awaits_list && !replica->is_found && replica->plan->driver == driver &&
            strcmp(replica->name, name) == 0)
            return replica;
    }
    return NULL;
}

static void finish_listing(struct listing *listing, const char *why)
{
    struct supervisor *supervisor = listing->supervisor;
    const struct driver *driver = listing->plan->driver;

    if (why)
        log_event(LOG_ERROR, "driver.list_failed", LOG_TEXT("driver", driver->calls->name),
                  LOG_TEXT("reason", why));
    list_remove(&listing->list);
    free(listing);
    loop_make_ready(supervisor->loop, &supervisor->ready);
    LIST_FOR_EACH (at, &supervisor->all) {
        struct replica *replica = CONTAINER_OF(at, struct replica, list);

        if (replica->awaits_list && replica->plan->driver == driver)
            life_enqueue(replica);
    }
}

static void on_found(void *owner, const char *name, const char *handle, const char *why)
{
    struct listing *listing = owner;
    struct supervisor *supervisor = listing->supervisor;
    struct replica *replica;

    if (!supervisor) {
        if (!name)
            free(listing);
        return;
    }
    if (!name) {
        finish_listing(listing, why);
        return;
    }
    if (is_known(supervisor, listing->plan->driver, handle))
        return;
    replica = find_waiting(supervisor, listing->plan->driver, name);
    if (replica) {
        strncpy(replica->handle, handle, sizeof(replica->handle) - 1);
        replica->is_found = true;
        return;
    }
    if (supervisor->count < REPLICA_SEATS_MAX)
        life_create_stray(supervisor, name, listing->plan, handle);
}

void supervisor_sweep(struct supervisor *supervisor, const struct replica_plan *plan)
{
    struct listing *listing;

    if (!plan->driver->calls->list)
        return;
    LIST_FOR_EACH (at, &supervisor->listings) {
        if (CONTAINER_OF(at, struct listing, list)->plan->driver == plan->driver)
            return;
    }
    listing = memory_allocate(sizeof(*listing));
    listing->supervisor = supervisor;
    listing->plan = plan;
    list_append(&supervisor->listings, &listing->list);
    plan->driver->calls->list(plan->driver, on_found, listing);
}

int supervisor_restore(struct supervisor *supervisor, const struct supervisor_wish *wishes,
                       unsigned count, struct error *why)
{
    int result = check_wishes(supervisor, wishes, count, why);

    if (result < 0)
        return result;
    for (unsigned i = 0; i < count; i++) {
        const struct replica_plan *plan = wishes[i].plan;
        struct replica *replica = life_create(supervisor, wishes[i].name, plan);

        if (wishes[i].handle && plan->driver->calls->adopt) {
            strncpy(replica->handle, wishes[i].handle, sizeof(replica->handle) - 1);
            replica->is_found = true;
        }
        replica->awaits_list = plan->driver->calls->list != NULL;
        if (!replica->awaits_list)
            life_enqueue(replica);
        supervisor_sweep(supervisor, plan);
    }
    return 0;
}

/* ---- steps of the owner ---- */

void supervisor_confirm(struct supervisor *supervisor, struct replica *replica,
                        uint32_t incarnation)
{
    assert(replica->supervisor == supervisor);
    life_confirm(replica, incarnation);
}

void supervisor_leave(struct supervisor *supervisor, struct replica *replica)
{
    assert(replica->supervisor == supervisor);
    life_leave(replica);
}

void supervisor_drain(struct supervisor *supervisor, struct replica *replica, uint32_t drain_ms)
{
    assert(replica->supervisor == supervisor);
    life_drain(replica, drain_ms);
}

void supervisor_stop(struct supervisor *supervisor, uint32_t drain_ms, supervisor_fn done,
                     void *owner)
{
    bool is_again = supervisor->is_stopping;

    supervisor->is_stopping = true;
    supervisor->on_stopped = done;
    supervisor->stop_owner = owner;
    LIST_FOR_EACH (at, &supervisor->all) {
        struct replica *replica = CONTAINER_OF(at, struct replica, list);

        if (!replica->is_drained)
            life_drain(replica, drain_ms);
        if (is_again)
            life_kill(replica);
    }
    loop_make_ready(supervisor->loop, &supervisor->ready);
}

void supervisor_epoch_published(struct supervisor *supervisor, uint64_t epoch)
{
    ports_published(&supervisor->ports, epoch);
}

void supervisor_epoch_adopted(struct supervisor *supervisor, uint64_t epoch)
{
    ports_adopted(&supervisor->ports, epoch);
}
