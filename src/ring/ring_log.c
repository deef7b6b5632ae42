#include "ring/ring_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

static int take_key(struct view key, bool is_path, struct ring_log_line *line)
{
    if (is_path)
        key = view_first(key, view_find(key, '?'));
    key = view_first(key, sizeof(line->key));
    if (key.size)
        memcpy(line->key, key.data, key.size);
    line->key_bytes = key.size;
    return key.size ? 0 : -EINVAL;
}

/* Where a JSON or logfmt field that stands for `field` may be found. */
static const char *const *names_of(const char *field)
{
    static const char *const paths[] = {"path", "target", "uri", "request_uri", NULL};
    static const char *const clients[] = {"client", "client_ip", "remote_addr", NULL};

    if (strcmp(field, "path") == 0 || strcmp(field, "target") == 0)
        return paths;
    return strcmp(field, "client-ip") == 0 ? clients : NULL;
}

static int parse_json(struct view text, const char *field, struct ring_log_line *line)
{
    const char *const own[] = {field, NULL};
    const char *const *names = names_of(field) ? names_of(field) : own;
    json_t *object = json_loadb(text.data, text.size, 0, NULL);
    const json_t *value = NULL;
    const json_t *bytes = json_object_get(object, "bytes");
    char number[32];
    int answer = -EINVAL;

    for (; *names && !value; names++)
        value = json_object_get(object, *names);
    if (json_is_string(value)) {
        answer = take_key((struct view){json_string_value(value), json_string_length(value)},
                          strcmp(field, "path") == 0, line);
    } else if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        answer = take_key(view_of(number), false, line);
    }
    line->bytes = json_is_integer(bytes) && json_integer_value(bytes) > 0
                      ? (uint64_t)json_integer_value(bytes)
                      : 0;
    json_decref(object);
    return answer;
}

/* The value of `name=`, its quotes taken off; escapes inside stay. */
static bool find_logfmt(struct view text, const char *name, struct view *value)
{
    size_t size = strlen(name);

    while (text.size > size) {
        bool is_it = memcmp(text.data, name, size) == 0 && text.data[size] == '=';
        struct view rest = view_after(text, view_find(text, '=') + 1);
        bool is_quoted = rest.size && rest.data[0] == '"';

        if (is_quoted)
            rest = view_after(rest, 1);
        *value = view_first(rest, view_find(rest, is_quoted ? '"' : ' '));
        if (is_it)
            return true;
        text = view_trim(view_after(rest, value->size + 1));
    }
    return false;
}

static int parse_logfmt(struct view text, const char *field, struct ring_log_line *line)
{
    const char *const own[] = {field, NULL};
    const char *const *names = names_of(field) ? names_of(field) : own;
    struct view value;

    line->bytes = 0;
    if (find_logfmt(text, "bytes", &value) && view_to_number(value, UINT64_MAX, &line->bytes) < 0)
        line->bytes = 0;
    for (; *names; names++) {
        if (find_logfmt(text, *names, &value))
            return take_key(value, strcmp(field, "path") == 0, line);
    }
    return -EINVAL;
}

/* host ident user [time] "METHOD target VERSION" status bytes ... */
static int parse_common(struct view text, const char *field, struct ring_log_line *line)
{
    struct view host = view_first(text, view_find(text, ' '));
    struct view request = view_after(text, view_find(text, '"') + 1);
    struct view rest = view_after(request, view_find(request, '"') + 1);
    struct view target;
    struct view version;
    struct view bytes;

    request = view_first(request, view_find(request, '"'));
    target = view_after(request, view_find(request, ' ') + 1);
    version = view_after(target, view_find(target, ' ') + 1);
    target = view_first(target, view_find(target, ' '));
    /* Servers also write down what was no request at all. */
    if (!target.size || !view_starts_with(version, VIEW("HTTP/")))
        return -EINVAL;
    rest = view_trim(rest);
    bytes = view_after(rest, view_find(rest, ' ') + 1);
    bytes = view_first(bytes, view_find(bytes, ' '));
    line->bytes = 0;
    if (view_to_number(bytes, UINT64_MAX, &line->bytes) < 0)
        line->bytes = 0;
    if (strcmp(field, "client-ip") == 0)
        return take_key(host, false, line);
    if (strcmp(field, "path") == 0 || strcmp(field, "target") == 0)
        return take_key(target, strcmp(field, "path") == 0, line);
    return -EINVAL;
}

int ring_log_parse(struct view text, const char *field, struct ring_log_line *line)
{
    struct view first;

    text = view_trim(text);
    if (text.size && text.data[0] == '{')
        return parse_json(text, field, line);
    first = view_first(text, view_find(text, ' '));
    if (view_find(first, '=') < first.size)
        return parse_logfmt(text, field, line);
    return parse_common(text, field, line);
}
