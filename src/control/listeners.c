#include "control/listeners.h"

#include <errno.h>
#include <stdlib.h>

#include "base/descriptor.h"
#include "base/memory.h"
#include "net/listener.h"

void listeners_init(struct listeners *listeners)
{
    listeners->count = 0;
}

void listeners_finish(struct listeners *listeners)
{
    for (unsigned i = 0; i < listeners->count; i++)
        listeners_forget(&listeners->all[i]);
    listeners->count = 0;
}

void listeners_close(struct listeners_one *one, unsigned count)
{
    while (one->count > count)
        descriptor_close(&one->sockets[--one->count]);
}

void listeners_forget(struct listeners_one *one)
{
    listeners_close(one, 0);
    free(one->sockets);
    *one = (struct listeners_one){0};
}

int listeners_find(const struct listeners *listeners, const struct address *address)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        const struct listeners_one *one = &listeners->all[i];

        if (listeners_is_open(one) && address_equals(&one->address, address))
            return (int)i;
    }
    return -ENOENT;
}

int listeners_add_taken(struct listeners *listeners, const struct address *address)
{
    unsigned number = 0;

    while (number < listeners->count && listeners->all[number].address.size)
        number++;
    if (number == ARRAY_SIZE(listeners->all))
        return -E2BIG;
    listeners->all[number] = (struct listeners_one){.address = *address, .declared = number};
    if (number == listeners->count)
        listeners->count++;
    return (int)number;
}

int listeners_add(struct listeners *listeners, const struct address *address, struct error *why)
{
    struct address found = *address;
    int number;
    int fd;

    /* Alone at first: with SO_REUSEPORT we would share the port with a stranger of our own uid. */
    fd = listener_open(&found, false, why);
    if (fd < 0)
        return fd;
    descriptor_close(&fd);
    number = listeners_add_taken(listeners, &found);
    if (number < 0)
        return error_set(why, number, "more than %d addresses to listen on", TABLE_LISTENERS_MAX);
    return number;
}

static void append(struct listeners_one *one, int fd)
{
    one->sockets = memory_resize(one->sockets, (one->count + 1) * sizeof(*one->sockets));
    one->sockets[one->count++] = fd;
}

int listeners_take(struct listeners *listeners, int fd)
{
    struct address address = {.size = sizeof(address.un)};
    int number;

    if (getsockname(fd, &address.any, &address.size) < 0)
        return -errno;
    number = listeners_find(listeners, &address);
    if (number >= 0)
        append(&listeners->all[number], fd);
    return number;
}

int listeners_fill(struct listeners *listeners, unsigned workers, struct error *why)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        struct listeners_one *one = &listeners->all[i];

        while (listeners_is_open(one) && one->count < workers) {
            int fd = listener_open(&one->address, true, why);

            if (fd < 0)
                return fd;
            append(one, fd);
        }
    }
    return 0;
}

json_t *listeners_json(const struct listeners *listeners)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < listeners->count; i++) {
        char text[ADDRESS_TEXT_BYTES];

        if (!listeners_is_open(&listeners->all[i]))
            continue;
        address_to_text(&listeners->all[i].address, text);
        json_array_append_new(list, json_string(text));
    }
    return list;
}
