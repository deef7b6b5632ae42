#include "ring/ring_members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void append(struct ring_members *members, struct view name, uint32_t weight, uint32_t id)
{
    char *text = memory_allocate(name.size + 1);

    memcpy(text, name.data, name.size);
    if (members->count == members->capacity) {
        members->capacity = members->capacity * 2 + 8;
        members->items = memory_resize(members->items, members->capacity * sizeof(*members->items));
    }
    members->items[members->count++] = (struct balance_member){text, weight, id};
}

void ring_members_init(struct ring_members *members, const struct ring_options *options)
{
    *members = (struct ring_members){0};
    for (size_t i = 0; i < options->count; i++) {
        const struct balance_member *member = &options->members[i];

        append(members, view_of(member->name), member->weight, member->id);
    }
}

void ring_members_finish(struct ring_members *members)
{
    for (size_t i = 0; i < members->count; i++)
        free((char *)members->items[i].name);
    free(members->items);
    *members = (struct ring_members){0};
}

static size_t find(const struct ring_members *members, struct view name)
{
    size_t i = 0;

    while (i < members->count && !view_equals(view_of(members->items[i].name), name))
        i++;
    return i;
}

static bool is_taken(const struct ring_members *members, uint32_t id)
{
    for (size_t i = 0; i < members->count; i++) {
        if (members->items[i].id == id)
            return true;
    }
    return false;
}

int ring_members_add(struct ring_members *members, struct view name, struct error *why)
{
    uint32_t id = 1;

    if (name.size == 0 || name.size > BALANCE_NAME_BYTES_MAX)
        return error_set(why, -EINVAL, "a name has 1 to %d bytes", BALANCE_NAME_BYTES_MAX);
    if (find(members, name) < members->count)
        return error_set(why, -EEXIST, "%.*s is there already", VIEW_ARGUMENTS(name));
    if (members->count == BALANCE_MEMBERS_MAX)
        return error_set(why, -E2BIG, "at most %d members are possible", BALANCE_MEMBERS_MAX);
    while (is_taken(members, id))
        id++;
    append(members, name, 1, id);
    return 0;
}

int ring_members_remove(struct ring_members *members, struct view name, struct error *why)
{
    size_t at = find(members, name);

    if (at == members->count)
        return error_set(why, -ENOENT, "there is no %.*s", VIEW_ARGUMENTS(name));
    free((char *)members->items[at].name);
    memmove(members->items + at, members->items + at + 1,
            (members->count - at - 1) * sizeof(*members->items));
    members->count--;
    return 0;
}

/* The next element of a list with commas; false behind the last. */
static bool take_element(struct view *rest, struct view *element)
{
    if (!rest->data)
        return false;
    *element = view_first(*rest, view_find(*rest, ','));
    if (element->size == rest->size)
        *rest = (struct view){0};
    else
        *rest = view_after(*rest, element->size + 1);
    return true;
}

int ring_members_add_all(struct ring_members *members, const char *list, struct error *why)
{
    struct view rest = view_of(list);
    struct view name;
    int answer = 0;

    while (answer == 0 && take_element(&rest, &name))
        answer = ring_members_add(members, name, why);
    return answer;
}

int ring_members_remove_all(struct ring_members *members, const char *list, struct error *why)
{
    struct view rest = view_of(list);
    struct view name;
    int answer = 0;

    while (answer == 0 && take_element(&rest, &name))
        answer = ring_members_remove(members, name, why);
    return answer;
}
