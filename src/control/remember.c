#include "control/remember.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config_declaration.h"
#include "config/config_text.h"
#include "replica/driver_static_name.h"

static const struct state_member *find(const struct state_pool *pool, const char *name)
{
    for (unsigned i = 0; i < pool->count; i++) {
        if (strcmp(pool->members[i].name, name) == 0)
            return &pool->members[i];
    }
    return NULL;
}

static bool is_given(const struct config_replicas *replicas, const char *name)
{
    for (unsigned i = 0; i < replicas->given_names; i++) {
        if (strcmp(replicas->names.items[i], name) == 0)
            return true;
    }
    return false;
}

static uint32_t free_id(const struct state_pool *pool)
{
    uint32_t id = 1;

    for (unsigned i = 0; i < pool->count; i++) {
        if (pool->members[i].id != id)
            continue;
        id++;
        i = (unsigned)-1; /* from the beginning: they are in no order */
    }
    return id;
}

/* The pool has room for it. */
static void append_new(struct state_pool *pool, const char *name)
{
    uint32_t id = free_id(pool);
    struct state_member *member = &pool->members[pool->count++];

    snprintf(member->name, sizeof(member->name), "%s", name);
    member->id = id;
    member->weight = STATE_WEIGHT_CONFIGURED;
}

/* How many of the given names are not there yet: they need room. */
static unsigned count_missing(const struct config_replicas *replicas,
                              const struct state_pool *known)
{
    unsigned missing = 0;

    for (unsigned i = 0; i < replicas->given_names; i++)
        missing += !find(known, replicas->names.items[i]);
    return missing;
}

/* Is it of a host name that is declared as it was? Then it stays until DNS says otherwise. */
static bool is_of_host(const struct config_replicas *replicas, const json_t *addresses_before,
                       const char *name)
{
    struct address address;
    struct view entry;

    if (driver_static_name_read(name, &entry, &address) < 0)
        return false;
    for (unsigned i = 0; i < replicas->addresses.count; i++) {
        const struct config_pair *pair = &replicas->addresses.items[i];
        const char *before = json_string_value(json_object_get(addresses_before, pair->name));

        if (view_equals(view_of(pair->name), entry))
            return config_text_is_host_port(view_of(pair->value)) && before &&
                   strcmp(before, pair->value) == 0;
    }
    return false;
}

/* Declared names first, then the oldest, as many as there is room for; in their old order. */
static void keep(const struct config_replicas *replicas, const struct state_pool *known,
                 struct state_pool *pool)
{
    json_t *before = json_loads(known->declaration, 0, NULL);
    const json_t *addresses = json_object_get(before, "addresses");
    unsigned room = replicas->count - count_missing(replicas, known);
    unsigned others = room;

    for (unsigned i = 0; i < known->count; i++)
        others -= is_given(replicas, known->members[i].name);
    for (unsigned i = 0; i < known->count; i++) {
        const char *name = known->members[i].name;
        bool is_declared = is_given(replicas, name) || is_of_host(replicas, addresses, name);

        if (!is_declared && others == 0)
            continue;
        others -= !is_declared;
        pool->members[pool->count++] = known->members[i];
    }
    json_decref(before);
}

static void fill(const struct config_replicas *replicas, struct state_pool *pool)
{
    for (unsigned i = 0; i < replicas->given_names; i++) {
        if (!find(pool, replicas->names.items[i]))
            append_new(pool, replicas->names.items[i]);
    }
    for (unsigned k = 1; pool->count < replicas->count; k++) {
        char name[STATE_NAME_BYTES];

        snprintf(name, sizeof(name), "Server %u", k);
        if (!find(pool, name))
            append_new(pool, name);
    }
}

static void copy_members(const struct state_pool *known, struct state_pool *pool)
{
    pool->members = memory_allocate((known->count + 1) * sizeof(*pool->members));
    for (unsigned i = 0; i < known->count; i++)
        pool->members[i] = known->members[i];
    pool->count = known->count;
}

enum remember_result remember_pool(const struct config_service *service,
                                   const struct state_pool *known, struct state_pool *pool)
{
    const struct config_replicas *replicas = &service->replicas;

    *pool = (struct state_pool){.declaration = config_declaration_text(service)};
    if (known->declaration && strcmp(known->declaration, pool->declaration) == 0) {
        copy_members(known, pool);
        return REMEMBER_SAME;
    }
    pool->members = memory_allocate((replicas->count + known->count + 1) * sizeof(*pool->members));
    if (known->declaration)
        keep(replicas, known, pool);
    fill(replicas, pool);
    return known->declaration ? REMEMBER_CHANGED : REMEMBER_NEW;
}

bool remember_is_other_kind(const struct config_service *service, const struct state_pool *known)
{
    static const char *const counts[] = {"count", "names", "addresses"};
    char *text = config_declaration_text(service);
    json_t *now = json_loads(text, 0, NULL);
    json_t *before = known->declaration ? json_loads(known->declaration, 0, NULL) : NULL;
    bool is_other;

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        json_object_del(now, counts[i]);
        json_object_del(before, counts[i]);
    }
    is_other = before && !json_equal(now, before);
    json_decref(now);
    json_decref(before);
    free(text);
    return is_other;
}
