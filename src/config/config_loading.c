#include "config/config_loading.h"

#include <stdarg.h>
#include <stdio.h>

#include "config/config_setting.h"
#include "config/config_value.h"
#include "config/document.h"

static struct error *note_take(struct config_loading *loading, bool is_error)
{
    struct config_notes *notes = loading->notes;
    struct config_note *note;

    notes->errors += is_error;
    notes->warnings += !is_error;
    if (notes->count == CONFIG_NOTES_MAX)
        return NULL;
    note = &notes->items[notes->count++];
    note->is_error = is_error;
    return &note->sentence;
}

static void note_write(struct error *sentence, const char *place, const char *format,
                       va_list values)
{
    int size;

    if (!sentence)
        return;
    size = snprintf(sentence->text, sizeof(sentence->text), "%s: ", place);
    if (size > 0 && (size_t)size < sizeof(sentence->text))
        vsnprintf(sentence->text + size, sizeof(sentence->text) - (size_t)size, format, values);
}

/* "FILE:LINE:COLUMN: path"; what is not known is left off. */
static void place_write(char place[ERROR_TEXT_BYTES], const struct config_loading *loading,
                        unsigned line, unsigned column, const char *path)
{
    char position[32] = "";

    if (line)
        snprintf(position, sizeof(position), ":%u:%u", line, column);
    snprintf(place, ERROR_TEXT_BYTES, "%s%s%s%s", loading->file, position, *path ? ": " : "", path);
}

void config_loading_note(struct config_loading *loading, bool is_error,
                         const struct document_node *node, const char *path, const char *format,
                         ...)
{
    char place[ERROR_TEXT_BYTES];
    va_list values;

    place_write(place, loading, node ? node->line : 0, node ? node->column : 0, path);
    va_start(values, format);
    note_write(note_take(loading, is_error), place, format, values);
    va_end(values);
}

void config_loading_note_key(struct config_loading *loading, const struct document_node *node,
                             const char *path, const char *format, ...)
{
    char place[ERROR_TEXT_BYTES];
    va_list values;

    place_write(place, loading, node->key_line, node->key_column, path);
    va_start(values, format);
    note_write(note_take(loading, true), place, format, values);
    va_end(values);
}

void config_loading_note_path(struct config_loading *loading, bool is_error, const char *path,
                              const char *format, ...)
{
    const char *source = config_setting_source(loading, path);
    struct error sentence;
    va_list values;

    va_start(values, format);
    vsnprintf(sentence.text, sizeof(sentence.text), format, values);
    va_end(values);
    if (source)
        config_loading_note_source(loading, is_error, source, "%s", sentence.text);
    else
        config_loading_note(loading, is_error, document_find(loading->root, path), path, "%s",
                            sentence.text);
}

void config_loading_note_source(struct config_loading *loading, bool is_error, const char *source,
                                const char *format, ...)
{
    va_list values;

    va_start(values, format);
    note_write(note_take(loading, is_error), source, format, values);
    va_end(values);
}

void config_loading_note_syntax(struct config_loading *loading, const char *sentence)
{
    struct error *note = note_take(loading, true);

    if (note)
        error_set(note, 0, "%.200s:%.300s", loading->file, sentence);
}

void *config_loading_place(struct config_loading *loading, const struct config_field *field,
                           unsigned index)
{
    struct config *config = loading->config;

    if (field->part == CONFIG_IN_SERVICE)
        return (char *)&config->services[index] + field->offset;
    if (field->part == CONFIG_IN_LISTENER)
        return (char *)&config->listeners[index] + field->offset;
    return (char *)config + field->offset;
}

void config_loading_path(const struct config_field *field, unsigned index,
                         char path[CONFIG_PATH_BYTES])
{
    size_t bracket = view_find(view_of(field->path), '[');

    if (field->part == CONFIG_IN_CONFIG)
        snprintf(path, CONFIG_PATH_BYTES, "%s", field->path);
    else
        snprintf(path, CONFIG_PATH_BYTES, "%.*s[%u]%s", (int)bracket, field->path, index,
                 field->path + bracket + 2);
}

bool config_loading_has(const struct config_loading *loading, const char *path)
{
    return document_find(loading->root, path);
}

void config_loading_set_defaults(struct config *config, enum config_part part, void *place)
{
    for (size_t i = 0; i < config_field_count; i++) {
        const struct config_field *field = &config_fields[i];

        if (field->part == part && field->type != CONFIG_SECTION && field->type != CONFIG_LIST)
            config_value_set_default(field, &config->memory, (char *)place + field->offset);
    }
}

const char *config_loading_environment(const struct config_loading *loading, const char *name)
{
    size_t size = strlen(name);

    for (char *const *at = loading->environment; at && *at; at++) {
        if (strncmp(*at, name, size) == 0 && (*at)[size] == '=')
            return (*at)[size + 1] ? *at + size + 1 : NULL;
    }
    return NULL;
}
