#include "control/keeper_bind.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/log.h"

#define URL_BYTES (ADDRESS_TEXT_BYTES + 16)

/* What a keeper that was just killed had half started ends by itself in a moment: an address it
 * still holds is asked for again that often, so long apart. */
#define TRIES_MAX 16
#define TRY_US    20000

static bool may_try_again(int result, unsigned *tries)
{
    if (result != -EADDRINUSE || ++*tries >= TRIES_MAX)
        return false;
    usleep(TRY_US);
    return true;
}

static int add_listener(struct keeper *keeper, const struct address *address, struct error *why)
{
    unsigned tries = 0;
    int result;

    do
        result = listeners_add(&keeper->listeners, address, why);
    while (may_try_again(result, &tries));
    return result;
}

static int open_control(struct address *address, struct error *why)
{
    unsigned tries = 0;
    int fd;

    do
        fd = listener_open(address, false, why);
    while (may_try_again(fd, &tries));
    return fd;
}

int keeper_bind_traffic(struct keeper *keeper, struct error *why)
{
    const struct config *config = keeper->config;

    for (unsigned i = 0; i < config->listener_count; i++) {
        struct address address;
        int result = address_from_text(view_of(config->listeners[i].address), &address, why);

        if (result == 0 && takeover_has(&keeper->takeover, &address))
            result = listeners_add_taken(&keeper->listeners, &address);
        else if (result == 0)
            result = add_listener(keeper, &address, why);
        if (result < 0)
            return result;
    }
    takeover_give(&keeper->takeover, &keeper->listeners);
    return listeners_fill(&keeper->listeners, keeper->workers.count, why);
}

static void on_control_accept(struct listener *listener, int fd, const struct address *client)
{
    struct keeper *keeper = listener->owner;

    api_accept(&keeper->api, fd, client);
}

static int bind_control_address(struct keeper *keeper, const char *text, struct error *why)
{
    unsigned number = keeper->control_count;
    struct address *address = &keeper->control_addresses[number];
    int result = address_from_text(view_of(text), address, why);
    int fd;

    if (result < 0)
        return result;
    if (!address_is_loopback(address) && !keeper->config->control.token)
        return error_set(why, -EACCES,
                         "the control port %s is not on loopback: that needs a token "
                         "(ROOST_CONTROL_TOKEN or control.token-file)",
                         text);
    fd = open_control(address, why);
    if (fd < 0)
        return fd;
    keeper->control_count++;
    return listener_start(&keeper->control[number], &keeper->loop, fd, on_control_accept, keeper);
}

int keeper_bind_control(struct keeper *keeper, struct error *why)
{
    const struct config_texts *addresses = &keeper->config->control.addresses;

    for (unsigned i = 0; i < addresses->count; i++) {
        int result;

        if (i == KEEPER_CONTROL_MAX)
            return error_set(why, -E2BIG, "more than %d control addresses", KEEPER_CONTROL_MAX);
        result = bind_control_address(keeper, addresses->items[i], why);
        if (result < 0)
            return result;
    }
    return 0;
}

static const char *url_of(const struct address *address, char url[URL_BYTES])
{
    char text[ADDRESS_TEXT_BYTES];

    address_to_text(address, text);
    snprintf(url, URL_BYTES, "%s%s", address->any.sa_family == AF_UNIX ? "" : "http://", text);
    return url;
}

void keeper_bind_say(const struct keeper *keeper)
{
    char url[URL_BYTES];

    for (unsigned i = 0; i < keeper->listeners.count; i++)
        log_event(LOG_INFO, "serve.traffic",
                  LOG_TEXT("url", url_of(&keeper->listeners.all[i].address, url)));
    for (unsigned i = 0; i < keeper->control_count; i++)
        log_event(LOG_INFO, "serve.control",
                  LOG_TEXT("url", url_of(&keeper->control_addresses[i], url)));
}

void keeper_bind_finish(struct keeper *keeper)
{
    for (unsigned i = 0; i < keeper->control_count; i++) {
        listener_stop(&keeper->control[i]);
        descriptor_close(&keeper->control[i].watch.fd);
    }
}
