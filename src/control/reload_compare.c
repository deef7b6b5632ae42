#include "control/reload_compare.h"

#include <stdio.h>
#include <string.h>

#include "config/config_loading.h"
#include "config/config_value.h"

/* A value as text: lists of names and services are long. */
#define VALUE_BYTES_MAX (4u << 20)

/* What a table tells the workers, or is asked for each time: keys that begin like this. Everything
 * else was used up at the start. */
static const char *const changeable[] = {
    "workers",
    "compat",
    "log.access-format",
    "trusted-proxies",
    "limits.",
    "services[].match.",
    "services[].balance.key",
    "services[].balance.bound",
    "services[].timeouts.",
    "services[].retries.",
    "services[].outlier.",
    "services[].expose-replica",
    "services[].hold",
};

static bool is_changeable(const struct config_field *field)
{
    for (size_t i = 0; i < ARRAY_SIZE(changeable); i++) {
        if (view_starts_with(view_of(field->path), view_of(changeable[i])))
            return true;
    }
    return false;
}

/* ---- one value ---- */

static void put_one(const struct config_field *field, const void *place, struct buffer *out)
{
    size_t before = buffer_size(out);

    /* An absent text is no empty one. */
    if (!config_value_print(field, place, out) && buffer_size(out) == before)
        (void)!buffer_append(out, VIEW("\1"));
    (void)!buffer_append(out, VIEW("\n"));
}

static void put_value(const struct config_field *field, const void *place, struct buffer *out)
{
    size_t bytes = config_value_item_bytes(field->type);
    struct config_list list;

    if (!bytes) {
        put_one(field, place, out);
        return;
    }
    memcpy(&list, place, sizeof(list));
    for (unsigned i = 0; i < list.count; i++) {
        const char *item = (const char *)list.items + i * bytes;

        /* The name is the first member of both kinds of items. */
        if (config_value_is_map(field->type))
            (void)!buffer_print(out, "%s: ", *(char *const *)(const void *)item);
        put_one(field, item, out);
    }
}

static bool is_same(const struct config_field *field, const void *now, const void *next)
{
    struct buffer a;
    struct buffer b;
    bool is_same;

    buffer_init(&a, VALUE_BYTES_MAX);
    buffer_init(&b, VALUE_BYTES_MAX);
    put_value(field, (const char *)now + field->offset, &a);
    put_value(field, (const char *)next + field->offset, &b);
    is_same = view_equals(buffer_view(&a), buffer_view(&b));
    buffer_finish(&a);
    buffer_finish(&b);
    return is_same;
}

static bool has_value(const struct config_field *field, enum config_part part)
{
    return field->type != CONFIG_SECTION && field->type != CONFIG_LIST && field->part == part;
}

static void note(json_t *list, const struct config_field *field, unsigned index)
{
    char path[CONFIG_PATH_BYTES];

    config_loading_path(field, index, path);
    json_array_append_new(list, json_string(path));
}

/* ---- the parts ---- */

static void compare_part(struct reload_difference *difference, enum config_part part,
                         unsigned index, const void *now, const void *next)
{
    for (size_t i = 0; i < config_field_count; i++) {
        const struct config_field *field = &config_fields[i];

        if (!has_value(field, part) || is_same(field, now, next))
            continue;
        note(is_changeable(field) ? difference->changed : difference->restart, field, index);
    }
}

/* The listener of that address, or NULL. */
static const struct config_listener *find_listener(const struct config *config, const char *address)
{
    for (unsigned i = 0; i < config->listener_count; i++) {
        if (strcmp(config->listeners[i].address, address) == 0)
            return &config->listeners[i];
    }
    return NULL;
}

static void compare_listeners(struct reload_difference *difference, const struct config *now,
                              const struct config *next)
{
    const struct config_field *services = config_field_find(VIEW("listen[].services"));

    difference->has_addresses = now->listener_count != next->listener_count;
    for (unsigned i = 0; i < next->listener_count; i++) {
        const struct config_listener *before = find_listener(now, next->listeners[i].address);

        if (!before)
            difference->has_addresses = true;
        else if (!is_same(services, before, &next->listeners[i]))
            note(difference->changed, services, i);
    }
    if (difference->has_addresses)
        json_array_append_new(difference->changed, json_string("listen"));
}

void reload_compare(const struct config *now, const struct config *next,
                    struct reload_difference *difference)
{
    *difference = (struct reload_difference){
        .changed = json_array(),
        .restart = json_array(),
        .has_workers = now->workers != next->workers,
    };
    compare_part(difference, CONFIG_IN_CONFIG, 0, now, next);
    compare_listeners(difference, now, next);
    if (now->service_count != next->service_count) {
        json_array_append_new(difference->restart, json_string("services"));
        return;
    }
    for (unsigned i = 0; i < next->service_count; i++)
        compare_part(difference, CONFIG_IN_SERVICE, i, &now->services[i], &next->services[i]);
}

void reload_compare_forget(struct reload_difference *difference)
{
    json_decref(difference->changed);
    json_decref(difference->restart);
    *difference = (struct reload_difference){0};
}
