#include "config/config_schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"

#include "config/config.h"
#include "config/config_field.h"
#include "config/config_setting.h"
#include "config/config_value.h"

#define MARKDOWN_BYTES_MAX (1u << 20)
#define EXPECT_BYTES_MAX   1024

static json_t *object_under(struct view parent);

static json_t *typed(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

static json_t *matching(const char *pattern)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *list_of(json_t *items)
{
    return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

static json_t *map_of(json_t *values)
{
    return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", values);
}

static json_t *integer_of(const struct config_field *field)
{
    return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)field->least,
                     "maximum", (json_int_t)field->most);
}

static json_t *factor_of(const struct config_field *field)
{
    return json_pack("{s:s, s:f, s:f}", "type", "number", "minimum", (double)field->least / 1000,
                     "maximum", (double)field->most / 1000);
}

static json_t *words_of(const struct config_field *field)
{
    json_t *words = json_array();

    for (unsigned i = 0; field->words[i]; i++)
        json_array_append_new(words, json_string(field->words[i]));
    return json_pack("{s:o}", "enum", words);
}

static json_t *size_of(void)
{
    return json_pack("{s:[o, o]}", "anyOf",
                     json_pack("{s:s, s:i}", "type", "integer", "minimum", 0),
                     matching("^[0-9]+(B|KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB)?$"));
}

static json_t *duration_of(const struct config_field *field)
{
    json_t *schema = matching("^[0-9]+(ms|s|m|h)$");

    return field->least ? schema : json_pack("{s:[o, {s:i}]}", "anyOf", schema, "const", 0);
}

/* One address may stand alone. */
static json_t *doors_of(void)
{
    return json_pack("{s:[o, o]}", "anyOf", typed("string"), list_of(typed("string")));
}

/* Numbers may stand as values of an environment; they are texts there. */
static json_t *env_of(void)
{
    return map_of(json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean"));
}

static json_t *value_of(const struct config_field *field)
{
    switch (field->type) {
    case CONFIG_BOOL:
        return typed("boolean");
    case CONFIG_INTEGER:
        return integer_of(field);
    case CONFIG_DURATION:
        return duration_of(field);
    case CONFIG_SIZE:
        return size_of();
    case CONFIG_FACTOR:
        return factor_of(field);
    case CONFIG_PERCENT:
        return matching("^[0-9]+(\\.[0-9])?%$");
    case CONFIG_WORD:
        return words_of(field);
    case CONFIG_URL_PATH:
        return matching("^/");
    case CONFIG_DOORS:
        return doors_of();
    case CONFIG_TEXTS:
    case CONFIG_NAMES:
    case CONFIG_HOSTS:
    case CONFIG_RESOLVERS:
    case CONFIG_NETWORKS:
    case CONFIG_KEYS:
        return list_of(typed("string"));
    case CONFIG_ENV:
        return env_of();
    case CONFIG_ENDPOINTS:
        return map_of(typed("string"));
    case CONFIG_WEIGHTS:
        return map_of(integer_of(field));
    default:
        return typed("string");
    }
}

static json_t *default_of(const struct config_field *field)
{
    uint64_t number;

    if (field->type == CONFIG_BOOL)
        return json_boolean(strcmp(field->fallback, "true") == 0);
    if (field->type == CONFIG_INTEGER &&
        view_to_number(view_of(field->fallback), UINT32_MAX, &number) == 0)
        return json_integer((json_int_t)number);
    return json_string(field->fallback);
}

static json_t *schema_of(const struct config_field *field)
{
    char path[CONFIG_PATH_BYTES];
    json_t *schema;

    if (field->type == CONFIG_SECTION)
        return object_under(view_of(field->path));
    if (field->type == CONFIG_LIST) {
        snprintf(path, sizeof(path), "%s[]", field->path);
        schema = list_of(object_under(view_of(path)));
        json_object_set_new(schema, "minItems", json_integer((json_int_t)field->least));
        json_object_set_new(schema, "maxItems", json_integer((json_int_t)field->most));
        return schema;
    }
    schema = value_of(field);
    if (field->special)
        schema = json_pack("{s:[o, {s:s}]}", "anyOf", schema, "const", field->special);
    if (field->fallback && !config_value_item_bytes(field->type))
        json_object_set_new(schema, "default", default_of(field));
    return schema;
}

static json_t *object_under(struct view parent)
{
    json_t *properties = json_object();

    for (size_t i = 0; i < config_field_count; i++) {
        const struct config_field *field = &config_fields[i];
        json_t *schema;

        if (!config_field_is_under(field, parent))
            continue;
        schema = schema_of(field);
        json_object_set_new(schema, "description", json_string(field->help));
        json_object_set_new(properties, config_field_key(field), schema);
    }
    return json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", 0, "properties",
                     properties);
}

char *config_schema(void)
{
    json_t *schema = object_under(VIEW(""));
    char *text;

    json_object_set_new(schema, "$schema",
                        json_string("https://json-schema.org/draft/2020-12/schema"));
    json_object_set_new(schema, "title", json_string("The configuration of roost"));
    text = json_dumps(schema, JSON_INDENT(2));
    json_decref(schema);
    return text;
}

/* Which of the words the bits stand for; nothing where all do. */
static int print_only(const char *const *words, unsigned bits, struct buffer *out)
{
    int error = bits ? buffer_print(out, " Only under") : 0;
    bool is_first = true;

    for (unsigned i = 0; bits && words[i] && !error; i++) {
        if (!(bits & (1u << i)))
            continue;
        error = buffer_print(out, "%s `%s`", is_first ? "" : ",", words[i]);
        is_first = false;
    }
    return bits && !error ? buffer_print(out, ".") : error;
}

static int print_default(const struct config_field *field, struct buffer *out)
{
    if (field->when_absent)
        return buffer_print(out, " | %s | ", field->when_absent);
    if (!field->fallback)
        return buffer_print(out, " | | ");
    if (!*field->fallback)
        return buffer_print(out, " | none | ");
    return buffer_print(out, " | `%s` | ", field->fallback);
}

static int print_row(const struct config_field *field, struct buffer *out)
{
    const char *const *schemes = config_field_find(VIEW("services[].balance.scheme"))->words;
    const char *const *drivers = config_field_find(VIEW("services[].replicas.driver"))->words;
    bool has_value = field->type != CONFIG_SECTION && field->type != CONFIG_LIST;
    int error = buffer_print(out, "| `%s` | ", field->path);

    if (!error && !has_value)
        error = buffer_print(out, "%s", field->type == CONFIG_LIST ? "a list" : "a map");
    if (!error && config_value_is_list(field->type))
        error = buffer_print(out, "a list, each ");
    if (!error && has_value && config_value_is_map(field->type))
        error = buffer_print(out, "a map, each value ");
    if (!error && has_value)
        config_value_expectation(field, out);
    if (!error)
        error = print_default(field, out);
    if (!error)
        error = buffer_print(out, "%s", field->help);
    if (!error)
        error = print_only(schemes, field->schemes, out);
    if (!error)
        error = print_only(drivers, field->drivers, out);
    return error ? error : buffer_print(out, " |\n");
}

static int print_setting(const struct config_setting *setting, struct buffer *out)
{
    int error =
        setting->flag ? buffer_print(out, "| `--%s` | ", setting->flag) : buffer_print(out, "| | ");

    if (!error)
        error = buffer_print(out, "`ROOST_%s` | ", setting->name);
    if (!error && setting->has_bare_name)
        error = buffer_print(out, "`%s`", setting->name);
    if (!error && setting->short_name)
        error = buffer_print(out, ", `%s`", setting->short_name);
    if (!error)
        error = buffer_print(out, " | ");
    if (!error && setting->path)
        error = buffer_print(out, "`%s`", setting->path);
    return error ? error : buffer_print(out, " | %s |\n", setting->help);
}

char *config_schema_markdown(void)
{
    struct buffer out;
    char *text;
    int error;

    buffer_init(&out, MARKDOWN_BYTES_MAX);
    error = buffer_print(&out, "| key | value | default | effect |\n|---|---|---|---|\n");
    for (size_t i = 0; i < config_field_count && !error; i++)
        error = print_row(&config_fields[i], &out);
    if (!error)
        error = buffer_print(&out, "\n| flag | environment | bare name | key | says |\n"
                                   "|---|---|---|---|---|\n");
    for (unsigned i = 0; i < config_setting_count && !error; i++)
        error = print_setting(&config_settings[i], &out);
    /* The limit is far above what the tables can be. */
    (void)error;
    text = strndup(buffer_view(&out).data, buffer_size(&out));
    buffer_finish(&out);
    return text;
}
