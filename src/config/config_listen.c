#include "config/config_listen.h"

#include <stdio.h>
#include <string.h>

#include "base/descriptor.h"

#include "config/config_value.h"

#define PORT_MAX 65535

/* A port as the settings write it. */
static const struct config_field port_field = {
    .path = "port", .type = CONFIG_INTEGER, .least = 1, .most = PORT_MAX};

void config_listen_take(struct config_loading *loading, struct config_listen *listen,
                        enum config_setting_kind kind, const char *text, bool is_strong,
                        const char *source)
{
    struct config_listen_setting setting = {.text = text, .is_strong = is_strong};
    bool is_port = kind == CONFIG_SETTING_PORT || kind == CONFIG_SETTING_CONTROL_PORT;
    uint32_t port = 0;
    struct error why;

    snprintf(setting.source, sizeof(setting.source), "%s", source);
    if (is_port && config_value_parse(&port_field, view_of(text), NULL, &port, &why) < 0) {
        config_loading_note_source(loading, true, source, "%s", why.text);
        return;
    }
    setting.port = port;
    if (kind == CONFIG_SETTING_PORT)
        listen->port = setting;
    else if (kind == CONFIG_SETTING_CONTROL_PORT)
        listen->control_port = setting;
    else if (kind == CONFIG_SETTING_LISTEN)
        listen->listen = setting;
    else
        listen->control_listen = setting;
}

unsigned config_listen_port(const char *text)
{
    struct address address;

    return address_from_text(view_of(text), &address, NULL) < 0 ? 0 : address_port(&address);
}

bool config_listen_is_local(const char *text)
{
    struct address address;

    return address_from_text(view_of(text), &address, NULL) == 0 && address_is_loopback(&address);
}

/* Whether a socket can be bound to [::1] here. */
static bool has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    descriptor_close(&fd);
    return is_there;
}

/* The address with another port; unix sockets stay. */
static char *with_port(struct config_loading *loading, const char *text, unsigned port)
{
    char changed[ADDRESS_TEXT_BYTES];
    struct address address;

    if (address_from_text(view_of(text), &address, NULL) < 0 || address_port(&address) == 0)
        return arena_copy(&loading->config->memory, view_of(text));
    address_set_port(&address, (uint16_t)port);
    address_to_text(&address, changed);
    return arena_copy(&loading->config->memory, view_of(changed));
}

static bool has_two_colons(struct view text)
{
    struct view rest = view_after(text, view_find(text, ':') + 1);

    return view_find(rest, ':') < rest.size;
}

/*
 * One element of LISTEN: what has no port gets `port`. Brackets may be missing around an IPv6
 * address that stands alone.
 */
static int read_door(struct config_loading *loading, const struct config_field *field,
                     struct view text, unsigned port, char **out, struct error *why)
{
    char completed[ADDRESS_TEXT_BYTES];
    bool is_six = has_two_colons(text);
    bool is_bracketed = text.size && text.data[0] == '[';

    if (config_value_parse(field, text, &loading->config->memory, out, why) == 0)
        return 0;
    if (text.size > ADDRESS_TEXT_BYTES / 2)
        return config_value_refuse(field, text, why);
    if (is_six && !is_bracketed)
        snprintf(completed, sizeof(completed), "[%.*s]:%u", VIEW_ARGUMENTS(text), port);
    else
        snprintf(completed, sizeof(completed), "%.*s:%u", VIEW_ARGUMENTS(text), port);
    if (config_value_parse(field, view_of(completed), &loading->config->memory, out, NULL) == 0)
        return 0;
    return config_value_refuse(field, text, why);
}

/* All elements of LISTEN or CONTROL_LISTEN; none where one is wrong. */
static struct config_texts read_doors(struct config_loading *loading, const char *path,
                                      const struct config_listen_setting *setting, unsigned port)
{
    const struct config_field *field = config_field_find(view_of(path));
    struct config_texts doors = {0};
    struct view rest = view_of(setting->text);
    struct view element;

    doors.items = arena_take(&loading->config->memory, CONFIG_LISTENERS_MAX * sizeof(char *));
    while (view_next_in_list(&rest, &element)) {
        struct error why;

        if (doors.count == CONFIG_LISTENERS_MAX) {
            config_loading_note_source(loading, true, setting->source,
                                       "expected at most %d addresses", CONFIG_LISTENERS_MAX);
            return (struct config_texts){0};
        }
        if (read_door(loading, field, element, port, &doors.items[doors.count], &why) < 0) {
            config_loading_note_source(loading, true, setting->source, "%s", why.text);
            return (struct config_texts){0};
        }
        doors.count++;
    }
    return doors;
}

/* 127.0.0.1 and, where there is IPv6, [::1]. */
static struct config_texts local_doors(struct config_loading *loading, unsigned port)
{
    struct config_texts doors = {.count = has_ipv6() ? 2 : 1};

    doors.items = arena_take(&loading->config->memory, 2 * sizeof(char *));
    doors.items[0] = with_port(loading, "127.0.0.1:1", port);
    doors.items[1] = with_port(loading, "[::1]:1", port);
    return doors;
}

/* One port for every address of the file, which must have had one before. */
static void change_ports(struct config_loading *loading, const struct config_listen_setting *port)
{
    struct config *config = loading->config;
    unsigned first = config_listen_port(config->listeners[0].address);

    for (unsigned i = 1; i < config->listener_count; i++) {
        if (config_listen_port(config->listeners[i].address) == first)
            continue;
        config_loading_note_source(loading, true, port->source,
                                   "the addresses under `listen` have different ports: which one "
                                   "to change is not clear; set LISTEN instead");
        return;
    }
    for (unsigned i = 0; i < config->listener_count; i++)
        config->listeners[i].address = with_port(loading, config->listeners[i].address, port->port);
}

static void set_listeners(struct config_loading *loading, struct config_texts doors)
{
    struct config *config = loading->config;

    config->listeners = arena_take(&config->memory, doors.count * sizeof(*config->listeners));
    config->listener_count = doors.count;
    for (unsigned i = 0; i < doors.count; i++)
        config->listeners[i].address = doors.items[i];
}

static void apply_listen(struct config_loading *loading, const struct config_listen *listen)
{
    bool has_file = loading->config->listener_count;
    unsigned port = listen->port.text ? listen->port.port : CONFIG_PORT;
    struct config_texts doors = {0};

    if (listen->listen.text && (listen->listen.is_strong || !has_file)) {
        doors = read_doors(loading, "listen[].address", &listen->listen, port);
    } else if (has_file) {
        if (listen->port.text && listen->port.is_strong)
            change_ports(loading, &listen->port);
        return;
    }
    /* A wrong LISTEN has its note; the rest is checked with the default. */
    if (!doors.count)
        doors = local_doors(loading, port);
    set_listeners(loading, doors);
}

static void apply_control(struct config_loading *loading, const struct config_listen *listen)
{
    struct config_control *control = &loading->config->control;
    const struct config_listen_setting *port = &listen->control_port;
    unsigned next = config_listen_port(loading->config->listeners[0].address) + 1;
    bool has_file = control->addresses.count;

    if (port->text)
        next = port->port;
    if (listen->control_listen.text && (listen->control_listen.is_strong || !has_file)) {
        control->addresses = read_doors(loading, "control.address", &listen->control_listen, next);
        memcpy(loading->control_source, listen->control_listen.source,
               sizeof(loading->control_source));
        has_file = false;
    }
    for (unsigned i = 0; i < control->addresses.count && has_file && port->is_strong; i++)
        control->addresses.items[i] = with_port(loading, control->addresses.items[i], next);
    if (control->addresses.count)
        return;
    if (next > PORT_MAX) {
        config_loading_note_path(loading, true, "control.address",
                                 "there is no port after %d; set CONTROL_PORT", PORT_MAX);
        next = PORT_MAX;
    }
    control->addresses = local_doors(loading, next);
}

void config_listen_apply(struct config_loading *loading, const struct config_listen *listen)
{
    apply_listen(loading, listen);
    apply_control(loading, listen);
}
