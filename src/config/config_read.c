#include "config/config_read.h"

#include <assert.h>
#include <stdio.h>

#include "base/escape.h"

#include "config/config_value.h"
#include "config/document.h"

#define KEY_BYTES_MAX 60 /* of an unknown key are shown */

/* Where the reader is: the path for people, the same with "[]" for the table, and the index. */
struct place {
    char path[CONFIG_PATH_BYTES * 2];
    char pattern[CONFIG_PATH_BYTES];
    unsigned index;
};

static void read_map(struct config_loading *loading, const struct document_node *map,
                     const struct place *place);

static const char *kind_name(const struct document_node *node)
{
    switch (node->kind) {
    case DOCUMENT_LIST:
        return "a list";
    case DOCUMENT_MAP:
        return "a map";
    case DOCUMENT_NOTHING:
        return "nothing";
    default:
        return "a single value";
    }
}

static void refuse_kind(struct config_loading *loading, const struct document_node *node,
                        const struct place *place, const char *expected)
{
    config_loading_note(loading, true, node, place->path, "expected %s, found %s", expected,
                        kind_name(node));
}

/* "head.tail", cut where it is too long: what we know is shorter. */
static void join(char *out, size_t capacity, const char *head, const char *tail)
{
    int size = snprintf(out, capacity, "%s%s%s", head, *head ? "." : "", tail);

    assert(size >= 0);
}

/* The place of a child: `key` is put behind the dot. */
static struct place place_under(const struct place *place, struct view key)
{
    struct place child = {.index = place->index};
    char shown[KEY_BYTES_MAX * ESCAPE_GROWTH_MAX + 1] = "";

    escape_json(view_first(key, KEY_BYTES_MAX), shown, sizeof(shown) - 1);
    join(child.path, sizeof(child.path), place->path, shown);
    join(child.pattern, sizeof(child.pattern), place->pattern, shown);
    return child;
}

static struct place place_of_element(const struct place *place, unsigned index)
{
    struct place child = *place;
    size_t size = strlen(child.path);

    snprintf(child.path + size, sizeof(child.path) - size, "[%u]", index);
    return child;
}

/* False where nothing was put at `out`. */
static bool read_scalar(struct config_loading *loading, const struct config_field *field,
                        const struct document_node *node, const struct place *place, void *out)
{
    struct error why;

    if (node->kind != DOCUMENT_TEXT) {
        struct buffer expected;

        buffer_init(&expected, ERROR_TEXT_BYTES);
        config_value_expectation(field, &expected);
        config_loading_note(loading, true, node, place->path, "expected %.*s, found %s",
                            VIEW_ARGUMENTS(buffer_view(&expected)), kind_name(node));
        buffer_finish(&expected);
        return false;
    }
    if (config_value_parse(field, node->text, &loading->config->memory, out, &why) == 0)
        return true;
    config_loading_note(loading, true, node, place->path, "%s", why.text);
    return false;
}

static bool is_too_long(struct config_loading *loading, const struct document_node *node,
                        const struct place *place, uint64_t least, uint64_t most)
{
    if (node->count >= least && node->count <= most)
        return false;
    config_loading_note(loading, true, node, place->path,
                        "expected a list of %llu to %llu entries, found %u",
                        (unsigned long long)least, (unsigned long long)most, node->count);
    return true;
}

static void read_list(struct config_loading *loading, const struct config_field *field,
                      const struct document_node *node, const struct place *place)
{
    size_t bytes = config_value_item_bytes(field->type);
    bool has_limit = field->type == CONFIG_KEYS || field->type == CONFIG_NETWORKS ||
                     field->type == CONFIG_RESOLVERS;
    struct config_list list = {NULL, 0};
    unsigned index = 0;

    /* One address alone needs no brackets. */
    if (node->kind == DOCUMENT_TEXT && field->type == CONFIG_DOORS) {
        list.items = arena_take(&loading->config->memory, bytes);
        list.count = read_scalar(loading, field, node, place, list.items);
    } else if (node->kind != DOCUMENT_LIST) {
        refuse_kind(loading, node, place, "a list");
        return;
    } else if (is_too_long(loading, node, place, has_limit ? field->least : 0,
                           has_limit ? field->most : CONFIG_LIST_MAX)) {
        return;
    } else {
        list.items = arena_take(&loading->config->memory, (node->count + 1) * bytes);
        for (const struct document_node *item = node->first; item; item = item->next) {
            struct place child = place_of_element(place, index++);

            list.count +=
                read_scalar(loading, field, item, &child, (char *)list.items + list.count * bytes);
        }
    }
    memcpy(config_loading_place(loading, field, place->index), &list, sizeof(list));
}

/* A repeated key is an error; the first one counts. */
static bool is_repeated(struct config_loading *loading, const struct document_node *map,
                        const struct document_node *node, const struct place *place)
{
    const struct document_node *first = document_get(map, node->key);

    if (first == node)
        return false;
    if (first->key_line)
        config_loading_note_key(loading, node, place->path, "the key is there already, in line %u",
                                first->key_line);
    else
        config_loading_note_key(loading, node, place->path, "the key is there already");
    return true;
}

static void read_pairs(struct config_loading *loading, const struct config_field *field,
                       const struct document_node *node, const struct place *place)
{
    size_t bytes = config_value_item_bytes(field->type);
    struct config_list list = {NULL, 0};

    if (node->kind != DOCUMENT_MAP) {
        refuse_kind(loading, node, place, "a map");
        return;
    }
    if (is_too_long(loading, node, place, 0, CONFIG_LIST_MAX))
        return;
    list.items = arena_take(&loading->config->memory, (node->count + 1) * bytes);
    for (const struct document_node *item = node->first; item; item = item->next) {
        struct place child = place_under(place, item->key);
        struct error why;

        if (is_repeated(loading, node, item, &child))
            continue;
        if (item->kind != DOCUMENT_TEXT)
            refuse_kind(loading, item, &child, "a single value");
        else if (config_value_parse_pair(field, item->key, item->text, &loading->config->memory,
                                         (char *)list.items + list.count * bytes, &why) < 0)
            config_loading_note(loading, true, item, child.path, "%s", why.text);
        else
            list.count++;
    }
    memcpy(config_loading_place(loading, field, place->index), &list, sizeof(list));
}

/* The listeners or services: a list of maps, each with all its defaults. */
static void read_parts(struct config_loading *loading, const struct config_field *field,
                       const struct document_node *node, const struct place *place)
{
    struct config *config = loading->config;
    bool is_services = strcmp(field->path, "services") == 0;
    enum config_part part = is_services ? CONFIG_IN_SERVICE : CONFIG_IN_LISTENER;
    size_t bytes = is_services ? sizeof(struct config_service) : sizeof(struct config_listener);
    unsigned index = 0;
    char *items;

    if (node->kind != DOCUMENT_LIST) {
        refuse_kind(loading, node, place, "a list");
        return;
    }
    if (is_too_long(loading, node, place, field->least, field->most))
        return;
    items = arena_take(&config->memory, node->count * bytes);
    if (is_services) {
        config->services = (struct config_service *)items;
        config->service_count = node->count;
    } else {
        config->listeners = (struct config_listener *)items;
        config->listener_count = node->count;
    }
    for (const struct document_node *item = node->first; item; item = item->next, index++) {
        struct place child = place_of_element(place, index);

        child.index = index;
        snprintf(child.pattern, sizeof(child.pattern), "%s[]", field->path);
        config_loading_set_defaults(config, part, items + index * bytes);
        if (item->kind == DOCUMENT_MAP)
            read_map(loading, item, &child);
        else
            refuse_kind(loading, item, &child, "a map");
    }
}

static bool holds_lines(enum config_type type)
{
    return type == CONFIG_LIST || type == CONFIG_SECTION || config_value_is_map(type) ||
           config_value_is_list(type);
}

static void read_field(struct config_loading *loading, const struct config_field *field,
                       const struct document_node *node, const struct place *place)
{
    /* A section or list whose lines are all commented out is one that nobody has written. */
    if (node->kind == DOCUMENT_NOTHING && holds_lines(field->type))
        return;
    if (field->type == CONFIG_LIST) {
        read_parts(loading, field, node, place);
    } else if (field->type == CONFIG_SECTION) {
        if (node->kind == DOCUMENT_MAP)
            read_map(loading, node, place);
        else
            refuse_kind(loading, node, place, "a map");
    } else if (config_value_is_map(field->type)) {
        read_pairs(loading, field, node, place);
    } else if (config_value_is_list(field->type)) {
        read_list(loading, field, node, place);
    } else {
        read_scalar(loading, field, node, place,
                    config_loading_place(loading, field, place->index));
    }
}

static void refuse_unknown(struct config_loading *loading, const struct document_node *node,
                           const struct place *parent, const struct place *place)
{
    const struct config_field *near = config_field_nearest(view_of(parent->pattern), node->key);

    if (near)
        config_loading_note_key(loading, node, place->path,
                                "this key is not known; did you mean \"%s\"?",
                                config_field_key(near));
    else
        config_loading_note_key(loading, node, place->path, "this key is not known");
}

/* A dot in a key is no way into a section. */
static const struct config_field *find_field(struct view key, const struct place *place)
{
    if (view_find(key, '.') < key.size || view_find(key, '[') < key.size)
        return NULL;
    return config_field_find(view_of(place->pattern));
}

static void read_map(struct config_loading *loading, const struct document_node *map,
                     const struct place *place)
{
    for (const struct document_node *node = map->first; node; node = node->next) {
        struct place child = place_under(place, node->key);
        const struct config_field *field = find_field(node->key, &child);

        if (is_repeated(loading, map, node, &child))
            continue;
        if (field)
            read_field(loading, field, node, &child);
        else
            refuse_unknown(loading, node, place, &child);
    }
}

void config_read_document(struct config_loading *loading)
{
    struct place top = {.index = 0};

    if (!loading->root || loading->root->kind == DOCUMENT_NOTHING)
        return;
    if (loading->root->kind == DOCUMENT_MAP)
        read_map(loading, loading->root, &top);
    else
        refuse_kind(loading, loading->root, &top, "a map");
}
