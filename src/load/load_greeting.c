#include "load/load_greeting.h"

#define HELLO  VIEW("Hello from Server: ")
#define SERVER VIEW("Server: ")

void load_greeting_begin(struct load_greeting *greeting, const struct head *head)
{
    const struct field *field = head_find(head, FIELD_X_ROOST_REPLICA);
    struct view name = field ? view_first(field->value, LOAD_GREETING_BYTES) : (struct view){0};

    greeting->size = 0;
    greeting->name_bytes = (unsigned)name.size;
    if (name.size)
        memcpy(greeting->text, name.data, name.size);
}

void load_greeting_body(struct load_greeting *greeting, struct view bytes)
{
    struct view kept = view_first(bytes, LOAD_GREETING_BYTES - greeting->size);

    if (greeting->name_bytes || !kept.size)
        return;
    memcpy(greeting->text + greeting->size, kept.data, kept.size);
    greeting->size += (unsigned)kept.size;
}

static bool is_number(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.size > 0;
}

struct view load_greeting_name(struct load_greeting *greeting)
{
    struct view body = {greeting->text, greeting->size};
    struct view name;
    char *found;

    if (greeting->name_bytes)
        return (struct view){greeting->text, greeting->name_bytes};
    found = body.size ? memmem(body.data, body.size, HELLO.data, HELLO.size) : NULL;
    if (!found)
        return (struct view){NULL, 0};
    name = view_after(body, (size_t)(found - body.data) + HELLO.size);
    name = view_first(name, view_find(name, '"'));
    if (!is_number(name))
        return name;
    /* "Server: 1" becomes "Server 1", in place. */
    found += HELLO.size - SERVER.size;
    memmove(found + 1, found, SERVER.size - 2);
    found[SERVER.size - 1] = ' ';
    return (struct view){found + 1, SERVER.size - 1 + name.size};
}
