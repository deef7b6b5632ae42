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
    for (unsigned i = 0; i < listeners->count; i++) {
        struct listeners_one *one = &listeners->all[i];

        for (unsigned j = 0; j < one->count; j++)
            descriptor_close(&one->sockets[j]);
        free(one->sockets);
    }
    listeners->count = 0;
}

int listeners_add_taken(struct listeners *listeners, const struct address *address)
{
    if (listeners->count == ARRAY_SIZE(listeners->all))
        return -E2BIG;
    listeners->all[listeners->count] = (struct listeners_one){.address = *address};
    return (int)listeners->count++;
}

int listeners_add(struct listeners *listeners, const struct address *address, struct error *why)
{
    struct address found = *address;
    int fd;

    /* Alone at first: with SO_REUSEPORT we would share the port with a stranger of our own uid. */
    fd = listener_open(&found, false, why);
    if (fd < 0)
        return fd;
    descriptor_close(&fd);
    if (listeners->count == ARRAY_SIZE(listeners->all))
        return error_set(why, -E2BIG, "more than %d addresses to listen on", TABLE_LISTENERS_MAX);
    return listeners_add_taken(listeners, &found);
}

static void append(struct listeners_one *one, int fd)
{
    one->sockets = memory_resize(one->sockets, (one->count + 1) * sizeof(*one->sockets));
    one->sockets[one->count++] = fd;
}

int listeners_take(struct listeners *listeners, int fd)
{
    struct address address = {.size = sizeof(address.un)};

    if (getsockname(fd, &address.any, &address.size) < 0)
        return -errno;
    for (unsigned i = 0; i < listeners->count; i++) {
        if (!address_equals(&listeners->all[i].address, &address))
            continue;
        append(&listeners->all[i], fd);
        return (int)i;
    }
    return -ENOENT;
}

int listeners_fill(struct listeners *listeners, unsigned workers, struct error *why)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        struct listeners_one *one = &listeners->all[i];

        while (one->count < workers) {
            int fd = listener_open(&one->address, true, why);

            if (fd < 0)
                return fd;
            append(one, fd);
        }
    }
    return 0;
}
