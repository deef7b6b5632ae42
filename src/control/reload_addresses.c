#include "control/reload_addresses.h"

#include <errno.h>
#include <string.h>

#include "proxy/worker.h"

_Static_assert(RELOAD_ADDRESSES_SOCKETS_MAX <= WORKER_LISTENERS_MAX,
               "a worker takes what it is given");

static void remember(struct reload_addresses *addresses, struct listeners *listeners)
{
    *addresses = (struct reload_addresses){.listeners = listeners};
    for (unsigned i = 0; i < listeners->count; i++) {
        const struct listeners_one *one = &listeners->all[i];

        addresses->before[i] = (struct reload_address){
            .sockets = one->count,
            .declared = one->declared,
            .is_used = one->address.size != 0,
            .is_leaving = one->is_leaving,
        };
    }
}

static bool is_declared(const struct config *config, const struct address *address)
{
    struct address declared;
    struct error why;

    for (unsigned i = 0; i < config->listener_count; i++) {
        if (address_from_text(view_of(config->listeners[i].address), &declared, &why) == 0 &&
            address_equals(&declared, address))
            return true;
    }
    return false;
}

/* Those that are declared no more stay known to the workers that accepted there. */
static void leave(struct listeners *listeners, const struct config *next, const struct table *table)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        struct listeners_one *one = &listeners->all[i];

        if (!listeners_is_open(one) || is_declared(next, &one->address))
            continue;
        one->is_leaving = true;
        if (table && i < table->listener_count)
            memcpy(one->services, table->listeners[i].services, sizeof(one->services));
    }
}

static int take(struct listeners *listeners, const struct config *next, unsigned declared,
                struct error *why)
{
    struct address address;
    int number = address_from_text(view_of(next->listeners[declared].address), &address, why);

    if (number < 0)
        return number;
    number = listeners_find(listeners, &address);
    if (number < 0)
        number = listeners_add(listeners, &address, why);
    if (number < 0)
        return number;
    listeners->all[number].declared = declared;
    return 0;
}

static int check_sockets(const struct listeners *listeners, unsigned workers, struct error *why)
{
    unsigned each = 0;

    for (unsigned i = 0; i < listeners->count; i++) {
        if (listeners_is_open(&listeners->all[i]))
            each += (listeners->all[i].count + workers - 1) / workers;
    }
    if (each <= RELOAD_ADDRESSES_SOCKETS_MAX)
        return 0;
    return error_set(why, -E2BIG,
                     "so few workers cannot serve the %u sockets there are for each: restart",
                     each);
}

int reload_addresses_change(struct reload_addresses *addresses, struct listeners *listeners,
                            const struct config *next, const struct table *table, unsigned workers,
                            struct error *why)
{
    int result = 0;

    remember(addresses, listeners);
    leave(listeners, next, table);
    for (unsigned i = 0; result == 0 && i < next->listener_count; i++)
        result = take(listeners, next, i, why);
    if (result == 0)
        result = listeners_fill(listeners, workers, why);
    return result < 0 ? result : check_sockets(listeners, workers, why);
}

void reload_addresses_restore(const struct reload_addresses *addresses)
{
    struct listeners *listeners = addresses->listeners;

    for (unsigned i = 0; i < listeners->count; i++) {
        const struct reload_address *before = &addresses->before[i];
        struct listeners_one *one = &listeners->all[i];

        if (!one->address.size)
            continue;
        if (!before->is_used) {
            listeners_forget(one);
            continue;
        }
        /* What waits in the queues of sockets that nobody was there to serve is lost with them. */
        listeners_close(one, before->sockets);
        one->declared = before->declared;
        one->is_leaving = before->is_leaving;
    }
}

void reload_addresses_close_left(struct listeners *listeners)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        if (listeners->all[i].is_leaving)
            listeners_close(&listeners->all[i], 0);
    }
}

void reload_addresses_forget_left(struct listeners *listeners)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        struct listeners_one *one = &listeners->all[i];

        /* One with sockets is about to leave: workers still accept there. */
        if (one->is_leaving && one->count == 0)
            listeners_forget(one);
    }
}
