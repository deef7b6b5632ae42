#include "load/load_template.h"

#include <errno.h>

#include "http/head.h"

#define PLACE VIEW("{key}")

/* What one byte of a key becomes in a target: %XX. */
#define ENCODED_BYTES 3

void load_template_init(struct load_template *head)
{
    *head = (struct load_template){0};
    buffer_init(&head->text, LOAD_TEMPLATE_BYTES_MAX);
}

void load_template_finish(struct load_template *head)
{
    buffer_finish(&head->text);
}

static int append(struct load_template *head, struct view text, struct error *why)
{
    if (buffer_append(&head->text, text) < 0)
        return error_set(why, -EINVAL, "the request's head has more than %d bytes",
                         LOAD_TEMPLATE_BYTES_MAX);
    return 0;
}

/* Appends text and remembers where it says {key}. */
static int append_cut(struct load_template *head, struct view text, bool is_target,
                      struct error *why)
{
    while (text.size) {
        const char *found = memmem(text.data, text.size, PLACE.data, PLACE.size);
        size_t size = found ? (size_t)(found - text.data) : text.size;

        if (append(head, view_first(text, size), why) < 0)
            return -EINVAL;
        text = view_after(text, size);
        if (!found)
            return 0;
        if (head->place_count == LOAD_TEMPLATE_PLACES_MAX)
            return error_set(why, -EINVAL, "{key} can stand in %d places",
                             LOAD_TEMPLATE_PLACES_MAX);
        head->places[head->place_count] = buffer_size(&head->text);
        head->is_target[head->place_count++] = is_target;
        text = view_after(text, PLACE.size);
    }
    return 0;
}

static bool is_word(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f ||
            strchr("\"(),/:;<=>?@[\\]{}", text.data[i]))
            return false;
    }
    return text.size > 0;
}

int load_template_begin(struct load_template *head, const char *method, struct view target,
                        struct error *why)
{
    if (!is_word(view_of(method)))
        return error_set(why, -EINVAL, "'%s' is no method", method);
    for (size_t i = 0; i < target.size; i++) {
        if (target.data[i] <= ' ' || target.data[i] >= 0x7f || target.data[i] == '#')
            return error_set(why, -EINVAL, "the URL has a byte that must be percent-encoded");
    }
    if (append(head, view_of(method), why) < 0 || append(head, VIEW(" "), why) < 0 ||
        append_cut(head, target, true, why) < 0)
        return -EINVAL;
    return append(head, VIEW(" HTTP/1.1\r\n"), why);
}

int load_template_field(struct load_template *head, struct view name, struct view value,
                        struct error *why)
{
    enum field_id id = head_field_id(name);

    if (!is_word(name))
        return error_set(why, -EINVAL, "'%.*s' is no name of a header", VIEW_ARGUMENTS(name));
    if (id == FIELD_CONNECTION || id == FIELD_CONTENT_LENGTH || id == FIELD_TRANSFER_ENCODING ||
        id == FIELD_EXPECT || id == FIELD_UPGRADE)
        return error_set(why, -EINVAL, "%.*s is written by roost load itself",
                         VIEW_ARGUMENTS(name));
    for (size_t i = 0; i < value.size; i++) {
        if ((uint8_t)value.data[i] < ' ' && value.data[i] != '\t')
            return error_set(why, -EINVAL, "a control byte in the header %.*s",
                             VIEW_ARGUMENTS(name));
    }
    if (append(head, name, why) < 0 || append(head, VIEW(": "), why) < 0 ||
        append_cut(head, value, false, why) < 0)
        return -EINVAL;
    return append(head, VIEW("\r\n"), why);
}

int load_template_close(struct load_template *head, struct error *why)
{
    return append(head, VIEW("Connection: close\r\n"), why);
}

size_t load_template_room(const struct load_template *head, size_t key_bytes)
{
    return buffer_size(&head->text) + head->place_count * key_bytes * ENCODED_BYTES;
}

static bool is_unreserved(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

static char *encode(struct view key, char *out)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < key.size; i++) {
        uint8_t byte = (uint8_t)key.data[i];

        if (is_unreserved(key.data[i])) {
            *out++ = key.data[i];
            continue;
        }
        *out++ = '%';
        *out++ = digits[byte >> 4];
        *out++ = digits[byte & 15];
    }
    return out;
}

struct view load_template_fill(const struct load_template *head, struct view key, char *out)
{
    struct view text = buffer_view(&head->text);
    char *at = out;
    size_t done = 0;

    for (unsigned i = 0; i < head->place_count; i++) {
        memcpy(at, text.data + done, head->places[i] - done);
        at += head->places[i] - done;
        done = head->places[i];
        if (head->is_target[i])
            at = encode(key, at);
        else
            at = mempcpy(at, key.data, key.size);
    }
    at = mempcpy(at, text.data + done, text.size - done);
    return view_between(out, at);
}
