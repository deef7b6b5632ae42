#include "control/events_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance/balance_plan.h"
#include "base/clock.h"
#include "base/memory.h"
#include "control/outlier_watch.h"

#define WHAT_BYTES 40

void events_pool_init(struct events_pool *pool, struct events *events, unsigned service_count)
{
    *pool = (struct events_pool){
        .events = events,
        .changes = memory_allocate(service_count * sizeof(*pool->changes)),
        .service_count = service_count,
    };
}

void events_pool_finish(struct events_pool *pool)
{
    for (unsigned i = 0; i < pool->service_count; i++)
        json_decref(pool->changes[i]);
    free(pool->changes);
    pool->changes = NULL;
    pool->service_count = 0;
}

static void set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static json_t *names_json(char (*names)[CREW_NAME_BYTES], unsigned count)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, json_string(names[i]));
    return list;
}

static json_t *members_json(const struct crew *crew)
{
    json_t *list = json_array();

    LIST_FOR_EACH (at, &crew->members) {
        json_array_append_new(list, json_string(CONTAINER_OF(at, struct crew_member, list)->name));
    }
    return list;
}

/* What is told of every change of a pool. */
static json_t *change_json(const struct crew *crew, const char *who, const char *cause,
                           json_t *replicas)
{
    return json_pack("{s:s, s:s, s:o, s:i, s:s}", "who", who, "service", crew->config->name,
                     "replicas", replicas, "count", (int)crew->count, "cause", cause);
}

static void set_table(const struct events_pool *pool, json_t *object)
{
    set(object, "epoch", json_integer((json_int_t)pool->epoch));
    set(object, "digest", json_string(pool->digest));
}

/* Without slots there is nothing to count. */
static void set_moved(json_t *object, const struct balance_plan *plan)
{
    set(object, "slots", plan ? json_integer((json_int_t)plan->units) : json_null());
    set(object, "moved", plan ? json_integer((json_int_t)plan->moved) : json_null());
    set(object, "minimum", plan ? json_integer((json_int_t)plan->minimum) : json_null());
    set(object, "excess", plan ? json_integer((json_int_t)plan->excess) : json_null());
}

static void tell_change(struct events_pool *pool, json_t *change)
{
    char what[WHAT_BYTES];

    snprintf(what, sizeof(what), "%s", json_string_value(json_object_get(change, "what")));
    json_object_del(change, "what");
    set_table(pool, change);
    events_add(pool->events, what, change);
}

void events_pool_change(struct events_pool *pool, const struct crew *crew,
                        const struct crew_change *change)
{
    json_t *json =
        change_json(crew, change->who, change->cause, names_json(change->names, change->count));

    set(json, "what", json_string(change->what));
    if (change->kind == CREW_WEIGH)
        set(json, "weight", json_integer(change->weight));
    /* One that no table could be built for: told without what it moved. */
    if (pool->changes[crew->number])
        tell_change(pool, pool->changes[crew->number]);
    pool->changes[crew->number] = json;
}

static void tell_moved(struct events_pool *pool, unsigned service, const struct table *before,
                       const struct table *now)
{
    json_t *change = pool->changes[service];
    struct balance_plan plan = {0};
    struct error why;
    bool is_placed =
        before &&
        balance_plan_make(table_image(before, table_services(before) + service),
                          table_image(now, table_services(now) + service), &plan, &why) == 0;

    pool->changes[service] = NULL;
    set_moved(change, is_placed ? &plan : NULL);
    if (is_placed)
        set(change, "is_estimate", json_boolean(plan.is_sampled));
    balance_plan_finish(&plan);
    tell_change(pool, change);
}

static void tell_start(struct events_pool *pool, const struct crew *crew)
{
    json_t *change = change_json(crew, "roost",
                                 crew->is_redeclared ? "the declaration has changed: the "
                                                       "difference is applied"
                                                     : "start",
                                 members_json(crew));

    set(change, "what", json_string(crew->is_redeclared ? "pool.redeclared" : "pool.started"));
    set_moved(change, NULL);
    tell_change(pool, change);
}

void events_pool_publish(struct events_pool *pool, const struct crew *crews,
                         const struct table *before, const struct table *now)
{
    pool->epoch = now->epoch;
    memcpy(pool->digest, now->digest, sizeof(pool->digest));
    for (unsigned i = 0; i < pool->service_count; i++) {
        if (!before)
            tell_start(pool, &crews[i]);
        if (pool->changes[i])
            tell_moved(pool, i, before, now);
    }
}

/* States are not in the table, and what comes back has its old name: nothing moves. The digest
 * proves it. */
static void set_unmoved(const struct events_pool *pool, json_t *json)
{
    set(json, "moved", json_integer(0));
    set(json, "minimum", json_integer(0));
    set(json, "excess", json_integer(0));
    set_table(pool, json);
}

void events_pool_outlier(struct events_pool *pool, const struct replica *replica,
                         const struct outlier *outlier, enum outlier_action action,
                         const char *before)
{
    static const char *const whats[] = {
        [OUTLIER_EJECT] = "replica.ejected",
        [OUTLIER_TRY] = "replica.probation",
        [OUTLIER_RESTORE] = "replica.restored",
    };
    const char *cause = outlier->why[0] ? outlier->why : NULL;
    json_t *json =
        json_pack("{s:s, s:s, s:[s], s:s, s:s, s:s?, s:i, s:i}", "who", "roost", "service",
                  replica->plan->service, "replicas", replica->name, "state",
                  outlier_watch_state_name(replica), "before", before, "cause", cause,
                  "incarnation", (int)replica->incarnation, "ejections", (int)outlier->ejections);

    if (action == OUTLIER_EJECT)
        set(json, "ejected_ms",
            json_integer((json_int_t)((outlier->until_us - outlier->since_us) / CLOCK_US_PER_MS)));
    set_unmoved(pool, json);
    events_add(pool->events, whats[action], json);
}

void events_pool_state(struct events_pool *pool, const struct replica *replica,
                       enum replica_state before)
{
    char what[WHAT_BYTES];
    const char *cause = replica->why[0] ? replica->why : NULL;
    json_t *json =
        json_pack("{s:s, s:s, s:[s], s:s, s:s, s:s?, s:i, s:I}", "who", "roost", "service",
                  replica->plan->service, "replicas", replica->name, "state",
                  replica_state_name(replica->state), "before", replica_state_name(before), "cause",
                  cause, "incarnation", (int)replica->incarnation, "pid", (json_int_t)replica->pid);

    if (!json)
        return;
    if (replica->state == REPLICA_UP && before == REPLICA_READY && replica->healed_us)
        set(json, "healed_ms", json_integer((json_int_t)(replica->healed_us / CLOCK_US_PER_MS)));
    set_unmoved(pool, json);
    snprintf(what, sizeof(what), "replica.%s", replica_state_name(replica->state));
    events_add(pool->events, what, json);
}
