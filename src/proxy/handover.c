#include "proxy/handover.h"

#include <unistd.h>

static bool is_free(const struct link *caller)
{
    return !caller->loop || caller->is_closed;
}

static void on_closed(struct link *link)
{
    (void)link; /* its place is free again */
}

static int give_listeners(struct handover *handover, struct link *caller)
{
    int result = 0;
    int fd;

    for (unsigned i = 0; result == 0 && (fd = handover->listener_at(handover, i)) >= 0; i++)
        result = link_send(caller, (enum link_kind)HANDOVER_LISTENER, i, fd);
    return result;
}

static void on_message(struct link *link, const struct link_message *message, int fd)
{
    struct handover *handover = link->owner;
    int result = -1;

    if (fd >= 0)
        close(fd);
    if (message->kind == HANDOVER_LISTENERS)
        result = give_listeners(handover, link);
    if (message->kind == HANDOVER_DRAIN)
        result = 0;
    if (result == 0)
        result = link_send(link, (enum link_kind)HANDOVER_END, 0, -1);
    if (message->kind == HANDOVER_DRAIN)
        handover->on_drain(handover, message->number);
    if (result < 0)
        link_stop(link);
}

static void on_accept(struct listener *listener, int fd, const struct address *client)
{
    struct handover *handover = listener->owner;

    (void)client;
    for (unsigned i = 0; i < HANDOVER_CALLERS_MAX; i++) {
        struct link *caller = &handover->callers[i];

        if (!is_free(caller))
            continue;
        if (link_start(caller, handover->loop, fd, on_message, on_closed, handover) < 0)
            close(fd);
        return;
    }
    close(fd);
}

int handover_start(struct handover *handover, struct loop *loop, int fd,
                   handover_listener_fn listener_at, handover_drain_fn on_drain)
{
    *handover = (struct handover){.loop = loop, .listener_at = listener_at, .on_drain = on_drain};
    return listener_start(&handover->listener, loop, fd, on_accept, handover);
}

void handover_stop(struct handover *handover)
{
    if (!handover->loop)
        return;
    listener_stop(&handover->listener);
    for (unsigned i = 0; i < HANDOVER_CALLERS_MAX; i++)
        link_stop(&handover->callers[i]);
}
