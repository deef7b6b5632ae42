#include "config/config_value.h"

#include <assert.h>
#include <errno.h>

#include "base/escape.h"

#include "config/config.h"
#include "config/config_text.h"
#include "config/config_type.h"

#define FOUND_BYTES_MAX  60 /* of a wrong value are shown */
#define EXPECT_BYTES_MAX 400
#define NEAR_MAX         3 /* changes that still look like a typo */

/* What a buffer of ours has no room for is left off: their limits are above what fields can be. */
static void put(struct buffer *out, struct view text)
{
    if (buffer_append(out, text) < 0)
        return;
}

static void put_text(struct buffer *out, const char *text)
{
    put(out, view_of(text));
}

bool config_value_is_list(enum config_type type)
{
    return config_type_row(type)->item_bytes && !config_type_row(type)->is_map;
}

bool config_value_is_map(enum config_type type)
{
    return config_type_row(type)->is_map;
}

size_t config_value_item_bytes(enum config_type type)
{
    return config_type_row(type)->item_bytes;
}

/* 64-bit for sizes, 32-bit for every other number. */
static uint64_t special_read(const struct config_field *field, const void *place)
{
    if (field->type == CONFIG_SIZE)
        return *(const uint64_t *)place;
    return *(const uint32_t *)place;
}

static void special_write(const struct config_field *field, void *place)
{
    if (field->type == CONFIG_SIZE)
        *(uint64_t *)place = field->special_value;
    else
        *(uint32_t *)place = (uint32_t)field->special_value;
}

int config_value_parse(const struct config_field *field, struct view text, struct arena *arena,
                       void *place, struct error *why)
{
    if (field->special && view_equals(text, view_of(field->special))) {
        special_write(field, place);
        return 0;
    }
    if (config_type_row(field->type)->parse(field, text, arena, place) < 0)
        return config_value_refuse(field, text, why);
    return 0;
}

int config_value_parse_pair(const struct config_field *field, struct view name, struct view text,
                            struct arena *arena, void *place, struct error *why)
{
    bool is_env = field->type == CONFIG_ENV;
    char shown[FOUND_BYTES_MAX * ESCAPE_GROWTH_MAX + 1] = "";
    void *value = field->type == CONFIG_WEIGHTS ? (void *)&((struct config_weight *)place)->weight
                                                : (void *)&((struct config_pair *)place)->value;

    if (is_env ? !config_text_is_variable(name) : !config_text_is_name(name)) {
        escape_json(view_first(name, FOUND_BYTES_MAX), shown, sizeof(shown) - 1);
        return error_set(why, -EINVAL, "expected as the key %s, found \"%s\"",
                         is_env ? "the name of a variable" : config_type_row(CONFIG_NAME)->noun,
                         shown);
    }
    if (config_type_row(field->type)->parse(field, text, arena, value) < 0)
        return config_value_refuse(field, text, why);
    /* The name is the first member of both. */
    *(char **)place = arena_copy(arena, name);
    return 0;
}

/* A whole list that is written with commas. */
static int parse_list(const struct config_field *field, struct view text, struct arena *arena,
                      void *place, struct error *why)
{
    size_t bytes = config_type_row(field->type)->item_bytes;
    struct config_list list = {NULL, 0};
    struct view rest = text;
    struct view item;
    unsigned count = 0;

    while (view_next_in_list(&rest, &item))
        count++;
    if (count > CONFIG_LIST_MAX)
        return config_value_refuse(field, text, why);
    if (count)
        list.items = arena_take(arena, count * bytes);
    while (view_next_in_list(&text, &item)) {
        int error =
            config_value_parse(field, item, arena, (char *)list.items + list.count * bytes, why);

        if (error < 0)
            return error;
        list.count++;
    }
    memcpy(place, &list, sizeof(list));
    return 0;
}

static size_t place_bytes(enum config_type type)
{
    if (config_type_row(type)->item_bytes)
        return sizeof(struct config_list);
    if (type == CONFIG_BOOL)
        return sizeof(bool);
    if (type == CONFIG_SIZE)
        return sizeof(uint64_t);
    if (type >= CONFIG_TEXT)
        return sizeof(char *);
    return sizeof(uint32_t);
}

void config_value_set_default(const struct config_field *field, struct arena *arena, void *place)
{
    int error;

    memset(place, 0, place_bytes(field->type));
    if (!field->fallback)
        return;
    error = config_type_row(field->type)->item_bytes
                ? parse_list(field, view_of(field->fallback), arena, place, NULL)
                : config_value_parse(field, view_of(field->fallback), arena, place, NULL);
    assert(error == 0);
    (void)error;
}

bool config_value_print(const struct config_field *field, const void *place, struct buffer *out)
{
    if (config_type_row(field->type)->is_map) {
        place = field->type == CONFIG_WEIGHTS
                    ? (const void *)&((const struct config_weight *)place)->weight
                    : (const void *)&((const struct config_pair *)place)->value;
    }
    if (field->special && special_read(field, place) == field->special_value) {
        put_text(out, field->special);
        return true;
    }
    return config_type_row(field->type)->print(field, place, out);
}

/* The ends of the range in the field's own notation. */
static void put_range(const struct config_field *field, struct buffer *out)
{
    const uint64_t ends[] = {field->least, field->most};

    for (size_t i = 0; i < 2; i++) {
        uint32_t narrow = (uint32_t)ends[i];

        put_text(out, i ? " to " : " from ");
        if (field->type == CONFIG_SIZE)
            config_type_row(field->type)->print(field, &ends[i], out);
        else
            config_type_row(field->type)->print(field, &narrow, out);
    }
}

void config_value_expectation(const struct config_field *field, struct buffer *out)
{
    put_text(out, config_type_row(field->type)->noun);
    for (unsigned i = 0; field->words && field->words[i]; i++) {
        put_text(out, i ? ", " : " ");
        put_text(out, field->words[i]);
    }
    if (config_type_row(field->type)->has_range)
        put_range(field, out);
    if (config_type_row(field->type)->example) {
        put_text(out, ", such as ");
        put_text(out, config_type_row(field->type)->example);
    }
    if (field->special) {
        put_text(out, ", or ");
        put_text(out, field->special);
    }
}

/* The word that was most likely meant, or NULL. */
static const char *nearest_word(const struct config_field *field, struct view found)
{
    const char *nearest = NULL;
    unsigned least = NEAR_MAX + 1;

    for (unsigned i = 0; field->words && field->words[i]; i++) {
        struct view word = view_of(field->words[i]);
        unsigned distance = config_field_distance(word, found, NEAR_MAX);

        if (distance < least && distance * 2 <= word.size) {
            least = distance;
            nearest = field->words[i];
        }
    }
    return nearest;
}

int config_value_refuse(const struct config_field *field, struct view found, struct error *why)
{
    const char *near = nearest_word(field, found);
    char shown[FOUND_BYTES_MAX * ESCAPE_GROWTH_MAX + 1] = "";
    struct buffer expected;
    int code;

    escape_json(view_first(found, FOUND_BYTES_MAX), shown, sizeof(shown) - 1);
    buffer_init(&expected, EXPECT_BYTES_MAX);
    config_value_expectation(field, &expected);
    code = error_set(why, -EINVAL, "expected %.*s, found \"%s\"%s%s%s",
                     VIEW_ARGUMENTS(buffer_view(&expected)), shown, near ? "; did you mean \"" : "",
                     near ? near : "", near ? "\"?" : "");
    buffer_finish(&expected);
    return code;
}
