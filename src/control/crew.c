#include "control/crew.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "control/crew_call.h"
#include "control/crew_follow.h"
#include "control/picture.h"
#include "control/workers_count.h"
#include "replica/driver_static_name.h"

/* Between SIGTERM and SIGKILL. */
#define GRACE_MS 5000

/* A replica that does not answer its probes for that long is started anew. */
#define HANG_MS 10000

/* A healed replica on its way back. */
struct homecoming {
    struct list list;
    struct publish_waiter waiter;
    struct crew *crew;
    struct crew_ref ref;
};

/* ---- members ---- */

struct replica *crew_find_ref(const struct crew *crew, const struct crew_ref *ref)
{
    struct replica *replica = crew->supervisor->seats[ref->seat];

    return replica && replica->id == ref->id ? replica : NULL;
}

struct crew_ref crew_ref_of(const struct replica *replica)
{
    return (struct crew_ref){replica->id, replica->seat, replica->incarnation};
}

struct crew_member *crew_find(struct crew *crew, const char *name)
{
    LIST_FOR_EACH (at, &crew->members) {
        struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);

        if (strcmp(member->name, name) == 0)
            return member;
    }
    return NULL;
}

struct crew_member *crew_member_of(const struct replica *replica)
{
    return replica->owner_data;
}

static bool has_id(const struct crew *crew, uint32_t id)
{
    LIST_FOR_EACH (at, &crew->members) {
        if (CONTAINER_OF(at, struct crew_member, list)->id == id)
            return true;
    }
    return false;
}

uint32_t crew_free_id(const struct crew *crew, uint32_t first)
{
    while (has_id(crew, first))
        first++;
    return first;
}

static const uint32_t *find_weight(const struct crew *crew, struct view name)
{
    const struct config_weights *weights = &crew->config->replicas.weights;

    for (unsigned i = 0; i < weights->count; i++) {
        if (view_equals(view_of(weights->items[i].name), name))
            return &weights->items[i].weight;
    }
    return NULL;
}

/* That of a host name is each of its replicas'. */
uint32_t crew_configured_weight(const struct crew *crew, const char *name)
{
    const uint32_t *weight = find_weight(crew, view_of(name));
    struct address address;
    struct view entry;

    if (!weight && crew->config->replicas.driver == CONFIG_DRIVER_STATIC &&
        driver_static_name_read(name, &entry, &address) == 0)
        weight = find_weight(crew, entry);
    return weight ? *weight : 1;
}

void crew_admit(struct crew *crew, struct replica *replica, const struct state_member *row)
{
    struct crew_member *member = memory_allocate(sizeof(*member));

    member->crew = crew;
    member->replica = replica;
    snprintf(member->name, sizeof(member->name), "%s", replica->name);
    member->id = row->id;
    member->weight = row->weight;
    if (row->weight == STATE_WEIGHT_CONFIGURED)
        member->weight = crew_configured_weight(crew, member->name);
    workers_count_seat(crew->workers, replica->seat, &member->baseline);
    replica->owner_data = member;
    list_append(&crew->members, &member->list);
    crew->count++;
    crew_displace(crew);
}

void crew_dismiss(struct crew *crew, struct crew_member *member)
{
    list_remove(&member->list);
    list_append(&crew->leaving, &member->list);
    crew->count--;
    crew_displace(crew);
}

void crew_forget(struct crew *crew, struct replica *replica)
{
    struct crew_member *member = replica->owner_data;

    if (!member)
        return;
    LIST_FOR_EACH (at, &crew->members) {
        if (at != &member->list)
            continue;
        crew->count--;
        crew_displace(crew);
    }
    list_remove(&member->list);
    replica->owner_data = NULL;
    free(member);
}

void crew_count(const struct crew_member *member, struct counts_seat *sum)
{
    workers_count_seat(member->crew->workers, member->replica->seat, sum);
    counts_subtract(sum, &member->baseline);
}

int crew_try_ring(struct crew *crew, char (*names)[CREW_NAME_BYTES], unsigned more,
                  struct error *why)
{
    struct balance_options options = picture_balance_options(crew->config);
    struct balance_member *all;
    struct balance_image *image;
    unsigned count = 0;
    uint32_t id = 0;
    int result;

    if (crew->config->balance.scheme != CONFIG_SCHEME_CLASSIC)
        return 0;
    all = memory_allocate((crew->count + more) * sizeof(*all));
    LIST_FOR_EACH (at, &crew->members) {
        const struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);

        all[count++] = (struct balance_member){member->name, member->weight, member->id};
    }
    for (unsigned i = 0; i < more; i++) {
        id = crew_free_id(crew, id + 1);
        all[count++] =
            (struct balance_member){names[i], crew_configured_weight(crew, names[i]), id};
    }
    result = balance_build(&options, all, count, &image, why);
    free(all);
    if (result == 0)
        balance_destroy(image);
    return result < 0 ? -ENOSPC : 0;
}

static struct balance_member *list_members(const struct crew *crew)
{
    struct balance_member *all = memory_allocate((crew->count + 1) * sizeof(*all));
    unsigned count = 0;

    LIST_FOR_EACH (at, &crew->members) {
        const struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);

        all[count++] = (struct balance_member){member->name, member->weight, member->id};
    }
    return all;
}

int crew_placement(struct crew *crew, const struct balance_image **image, struct error *why)
{
    struct balance_options options = picture_balance_options(crew->config);
    bool is_first = !crew->builder;
    struct balance_member *all;
    int result = 0;

    if (is_first)
        result = balance_builder_create(&options, &crew->builder, why);
    if (result < 0)
        return result;
    if (!crew->is_placed) {
        if (!is_first)
            handoff_begin(&crew->handoff, balance_builder_image(crew->builder));
        all = list_members(crew);
        result = balance_builder_set(crew->builder, all, crew->count, why);
        free(all);
    }
    if (result < 0)
        return result;
    crew->is_placed = true;
    *image = balance_builder_image(crew->builder);
    return 0;
}

void crew_displace(struct crew *crew)
{
    crew->is_placed = false;
}

/* ---- healing ---- */

static void free_homecoming(struct homecoming *home)
{
    publish_cancel(&home->waiter);
    list_remove(&home->list);
    free(home);
}

static void on_home(struct publish_waiter *waiter)
{
    struct homecoming *home = CONTAINER_OF(waiter, struct homecoming, waiter);
    struct replica *replica = crew_find_ref(home->crew, &home->ref);

    if (replica)
        supervisor_confirm(home->crew->supervisor, replica, home->ref.incarnation);
    free_homecoming(home);
}

void crew_let_in(struct crew *crew, struct replica *replica)
{
    struct homecoming *home = memory_allocate(sizeof(*home));

    home->crew = crew;
    home->ref = crew_ref_of(replica);
    list_append(&crew->homecomings, &home->list);
    publish_change(crew->publish, &home->waiter, on_home);
}

/* ---- beginning and end ---- */

static void make_plan(struct crew *crew, struct driver *driver)
{
    const struct config_health *health = &crew->config->health;

    crew->plan = (struct replica_plan){
        .service = crew->config->name,
        .driver = driver,
        .health =
            {
                .interval_ms = health->interval_ms,
                .timeout_ms = health->timeout_ms,
                .fall = health->fall,
                .rise = health->rise,
                .start_ms = health->start_ms,
            },
        .grace_ms = GRACE_MS,
        .warming_ms = health->warm_ms,
        .hang_ms = HANG_MS,
    };
    snprintf(crew->plan.health.path, sizeof(crew->plan.health.path), "%s", health->path);
}

void crew_init(struct crew *crew, const struct config *whole, unsigned number,
               struct supervisor *supervisor, struct publish *publish, struct workers *workers,
               struct state *state, struct driver *driver, const struct crew_events *events,
               void *owner)
{
    *crew = (struct crew){
        .whole = whole,
        .config = &whole->services[number],
        .number = number,
        .loop = supervisor->loop,
        .supervisor = supervisor,
        .publish = publish,
        .workers = workers,
        .state = state,
        .events = events,
        .owner = owner,
    };
    list_init(&crew->members);
    list_init(&crew->leaving);
    list_init(&crew->homecomings);
    crew_call_init(crew);
    crew_follow_init(crew);
    handoff_init(&crew->handoff, publish);
    make_plan(crew, driver);
}

static void free_list(struct list *list)
{
    LIST_FOR_EACH (at, list) {
        free(CONTAINER_OF(at, struct crew_member, list));
    }
    list_init(list);
}

void crew_finish(struct crew *crew)
{
    crew_call_finish(crew);
    crew_follow_finish(crew);
    LIST_FOR_EACH (at, &crew->homecomings) {
        free_homecoming(CONTAINER_OF(at, struct homecoming, list));
    }
    balance_builder_destroy(crew->builder);
    handoff_finish(&crew->handoff);
    free_list(&crew->members);
    free_list(&crew->leaving);
    driver_destroy(crew->plan.driver);
    crew->plan.driver = NULL;
}

int crew_restore(struct crew *crew, const struct state_pool *pool, struct error *why)
{
    struct supervisor_wish *wishes = memory_allocate((pool->count + 1) * sizeof(*wishes));
    int result;

    crew->placed = crew->publish->epoch + 1;
    crew->is_redeclared = pool->is_redeclared;
    for (unsigned i = 0; i < pool->count; i++)
        wishes[i] = (struct supervisor_wish){.name = pool->members[i].name, .plan = &crew->plan};
    result = supervisor_restore(crew->supervisor, wishes, pool->count, why);
    for (unsigned i = 0; result == 0 && i < pool->count; i++)
        crew_admit(crew,
                   supervisor_find(crew->supervisor, crew->config->name, pool->members[i].name),
                   &pool->members[i]);
    free(wishes);
    if (result == 0 && pool->count == 0)
        supervisor_sweep(crew->supervisor, &crew->plan);
    return result;
}

void crew_open(struct crew *crew)
{
    crew_call_open(crew);
}

void crew_close(struct crew *crew)
{
    crew_call_close(crew);
}

void crew_ask(struct crew *crew, const struct crew_wish *wish, crew_done_fn done, void *owner)
{
    crew_call_ask(crew, wish, done, owner);
}
