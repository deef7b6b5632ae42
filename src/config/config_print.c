#include "config/config_print.h"

#include "base/escape.h"

#include "config/config_loading.h"
#include "config/config_value.h"

#define INDENT 2

struct printer {
    const struct config *config;
    struct buffer *out;
    int error;     /* the first one; nothing is written after it */
    bool is_first; /* the next key is a list's element's first: a dash goes before it */
};

static void print_under(struct printer *printer, struct view parent, unsigned index,
                        unsigned depth);

static void put(struct printer *printer, struct view text)
{
    if (!printer->error)
        printer->error = buffer_append(printer->out, text);
}

static void put_text(struct printer *printer, const char *text)
{
    put(printer, view_of(text));
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* What is no plain word in every YAML is quoted; JSON's escapes are YAML's too (YAML 1.2 5.7). */
static void put_scalar(struct printer *printer, struct view text)
{
    bool is_plain = text.size && (is_word(text.data[0]) || text.data[0] == '/') &&
                    !view_equals(text, VIEW("null"));

    for (size_t i = 0; i < text.size && is_plain; i++)
        is_plain = is_word(text.data[i]) || memchr("._/%-", text.data[i], 5);
    if (is_plain) {
        put(printer, text);
        return;
    }
    put_text(printer, "\"");
    if (!printer->error)
        printer->error = escape_json_append(text, printer->out);
    put_text(printer, "\"");
}

static void put_value(struct printer *printer, const struct config_field *field, const void *place)
{
    struct buffer text;

    buffer_init(&text, CONFIG_PRINT_BYTES_MAX);
    config_value_print(field, place, &text);
    put_scalar(printer, buffer_view(&text));
    buffer_finish(&text);
}

/* In one line: [a, b] or {a: 1, b: 2}. */
static void put_items(struct printer *printer, const struct config_field *field, const void *place)
{
    bool is_map = config_value_is_map(field->type);
    struct config_list list;

    memcpy(&list, place, sizeof(list));
    put_text(printer, is_map ? "{" : "[");
    for (unsigned i = 0; i < list.count; i++) {
        const char *item = (const char *)list.items + i * config_value_item_bytes(field->type);

        put_text(printer, i ? ", " : "");
        if (is_map) {
            /* The name is the first member of both kinds of items. */
            put_scalar(printer, view_of(*(char *const *)(const void *)item));
            put_text(printer, ": ");
        }
        put_value(printer, field, item);
    }
    put_text(printer, is_map ? "}" : "]");
}

static void put_key(struct printer *printer, const char *key, unsigned depth)
{
    unsigned spaces = (depth - printer->is_first) * INDENT;

    while (spaces--)
        put_text(printer, " ");
    put_text(printer, printer->is_first ? "- " : "");
    put_text(printer, key);
    put_text(printer, ":");
    printer->is_first = false;
}

static bool has_bit(unsigned bits, unsigned bit)
{
    return bits == 0 || bits & (1u << bit);
}

static const void *place_of(const struct printer *printer, const struct config_field *field,
                            unsigned index)
{
    const struct config *config = printer->config;
    const void *part = config;

    if (field->part == CONFIG_IN_SERVICE)
        part = &config->services[index];
    if (field->part == CONFIG_IN_LISTENER)
        part = &config->listeners[index];
    return (const char *)part + field->offset;
}

/* Whether there is a value, and it matters. */
static bool is_shown(const struct printer *printer, const struct config_field *field,
                     unsigned index)
{
    const struct config_service *service;

    if (field->type == CONFIG_SECTION || field->type == CONFIG_LIST)
        return false;
    /* The place is read as a text only where it is one. */
    if (field->type >= CONFIG_TEXT && field->type <= CONFIG_ENDPOINT &&
        !*(char *const *)place_of(printer, field, index))
        return false;
    if (field->part != CONFIG_IN_SERVICE)
        return true;
    service = &printer->config->services[index];
    return has_bit(field->schemes, service->balance.scheme) &&
           has_bit(field->drivers, service->replicas.driver);
}

static bool is_section_shown(const struct printer *printer, struct view path, unsigned index)
{
    for (size_t i = 0; i < config_field_count; i++) {
        const struct config_field *field = &config_fields[i];
        struct view rest = view_after(view_of(field->path), path.size);

        if (view_starts_with(view_of(field->path), path) && view_starts_with(rest, VIEW(".")) &&
            is_shown(printer, field, index))
            return true;
    }
    return false;
}

static void print_parts(struct printer *printer, const struct config_field *field, unsigned depth)
{
    bool is_services = strcmp(field->path, "services") == 0;
    unsigned count = is_services ? printer->config->service_count : printer->config->listener_count;

    put_key(printer, field->path, depth);
    put_text(printer, "\n");
    for (unsigned i = 0; i < count; i++) {
        printer->is_first = true;
        print_under(printer, is_services ? VIEW("services[]") : VIEW("listen[]"), i, depth + 2);
    }
}

static void print_field(struct printer *printer, const struct config_field *field, unsigned index,
                        unsigned depth)
{
    if (!is_shown(printer, field, index))
        return;
    put_key(printer, config_field_key(field), depth);
    put_text(printer, " ");
    if (config_value_item_bytes(field->type))
        put_items(printer, field, place_of(printer, field, index));
    else
        put_value(printer, field, place_of(printer, field, index));
    put_text(printer, "\n");
}

static void print_under(struct printer *printer, struct view parent, unsigned index, unsigned depth)
{
    for (size_t i = 0; i < config_field_count; i++) {
        const struct config_field *field = &config_fields[i];

        if (!config_field_is_under(field, parent))
            continue;
        if (field->type == CONFIG_LIST) {
            print_parts(printer, field, depth);
        } else if (field->type != CONFIG_SECTION) {
            print_field(printer, field, index, depth);
        } else if (is_section_shown(printer, view_of(field->path), index)) {
            put_key(printer, config_field_key(field), depth);
            put_text(printer, "\n");
            print_under(printer, view_of(field->path), index, depth + 1);
        }
    }
}

int config_print(const struct config *config, struct buffer *out)
{
    struct printer printer = {.config = config, .out = out};

    print_under(&printer, VIEW(""), 0, 0);
    return printer.error;
}
