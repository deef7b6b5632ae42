#include "config/config_derive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "replica/driver_static_name.h"

#include "config/config_listen.h"
#include "config/config_setting.h"
#include "config/config_text.h"
#include "config/config_value.h"

#define COUNT_DEFAULT   3
#define SLOTS_HRW       65536
#define SLOTS_MAGLEV    65537
#define SLOTS_CLASSIC   512
#define CLASSIC_DIGITS  6 /* of a key that is drawn */
#define ROOT_STATE      "/var/lib/roost"
#define STATE_BYTES_MAX 4096

static bool has_bit(unsigned bits, unsigned bit)
{
    return bits == 0 || bits & (1u << bit);
}

static void drop_without_effect(struct config_loading *loading, const struct config_field *field,
                                unsigned index)
{
    const struct config_service *service = &loading->config->services[index];
    bool has_scheme = has_bit(field->schemes, service->balance.scheme);
    char path[CONFIG_PATH_BYTES];

    if (has_scheme && has_bit(field->drivers, service->replicas.driver))
        return;
    config_value_set_default(field, &loading->config->memory,
                             config_loading_place(loading, field, index));
    config_loading_path(field, index, path);
    if (!config_loading_has(loading, path))
        return;
    if (!has_scheme)
        config_loading_note_path(loading, false, path, "has no effect under the scheme %s",
                                 config_scheme_name(service->balance.scheme));
    else
        config_loading_note_path(loading, false, path, "has no effect under the driver %s",
                                 config_driver_name(service->replicas.driver));
}

void config_derive_effects(struct config_loading *loading)
{
    for (unsigned index = 0; index < loading->config->service_count; index++) {
        for (size_t i = 0; i < config_field_count; i++) {
            const struct config_field *field = &config_fields[i];

            if (field->type != CONFIG_SECTION && field->part == CONFIG_IN_SERVICE)
                drop_without_effect(loading, field, index);
        }
    }
}

static bool has_text(const struct config_texts *texts, const char *text)
{
    for (unsigned i = 0; i < texts->count; i++) {
        if (strcmp(texts->items[i], text) == 0)
            return true;
    }
    return false;
}

/* "Server k" with the smallest k that is free, until there are `count` names. */
static void fill_names(struct arena *arena, struct config_texts *names, unsigned count)
{
    struct config_texts given = *names;

    names->items = arena_take(arena, (count + 1) * sizeof(char *));
    for (unsigned i = 0; i < given.count; i++)
        names->items[i] = given.items[i];
    for (unsigned k = 1; names->count < count; k++) {
        char name[CONFIG_NAME_BYTES_MAX + 1];

        snprintf(name, sizeof(name), "Server %u", k);
        if (!has_text(&given, name))
            names->items[names->count++] = arena_copy(arena, view_of(name));
    }
}

/* The replicas of host names are found out later. */
static void take_static_names(struct arena *arena, struct config_replicas *replicas)
{
    const struct config_pairs *addresses = &replicas->addresses;

    replicas->names.count = 0;
    replicas->names.items = arena_take(arena, (addresses->count + 1) * sizeof(char *));
    for (unsigned i = 0; i < addresses->count; i++) {
        if (!config_text_is_host_port(view_of(addresses->items[i].value)))
            replicas->names.items[replicas->names.count++] = addresses->items[i].name;
    }
    replicas->count = replicas->names.count;
    replicas->given_names = replicas->names.count;
}

static void derive_names(struct config_loading *loading, unsigned index)
{
    struct config_replicas *replicas = &loading->config->services[index].replicas;
    char path[CONFIG_PATH_BYTES];
    bool has_count;

    if (replicas->driver == CONFIG_DRIVER_STATIC) {
        take_static_names(&loading->config->memory, replicas);
        return;
    }
    snprintf(path, sizeof(path), "services[%u].replicas.count", index);
    has_count = config_loading_has(loading, path) || config_setting_source(loading, path);
    if (!has_count)
        replicas->count = replicas->names.count ? replicas->names.count : COUNT_DEFAULT;
    replicas->given_names = replicas->names.count;
    if (replicas->names.count <= replicas->count)
        fill_names(&loading->config->memory, &replicas->names, replicas->count);
}

static unsigned log2_of(unsigned number)
{
    unsigned power = 0;

    while (number >>= 1)
        power++;
    return power;
}

static void derive_balance(struct config_balance *balance)
{
    for (unsigned i = 0; i < balance->key.count; i++) {
        if (balance->key.items[i].kind == TABLE_KEY_RANDOM)
            balance->key.items[i].number =
                balance->scheme == CONFIG_SCHEME_CLASSIC ? CLASSIC_DIGITS : 0;
    }
    if (balance->scheme == CONFIG_SCHEME_MAGLEV)
        balance->slots = SLOTS_MAGLEV;
    else if (balance->scheme == CONFIG_SCHEME_SLOT_HRW && !balance->slots)
        balance->slots = SLOTS_HRW;
    else if (balance->scheme == CONFIG_SCHEME_CLASSIC && !balance->slots)
        balance->slots = SLOTS_CLASSIC;
    if (balance->scheme == CONFIG_SCHEME_CLASSIC && !balance->virtual_servers)
        balance->virtual_servers = log2_of(balance->slots);
}

/* XDG Base Directory Specification; a relative $XDG_STATE_HOME is to be ignored. */
static void derive_state(struct config_loading *loading)
{
    const char *xdg = config_loading_environment(loading, "XDG_STATE_HOME");
    const char *home = config_loading_environment(loading, "HOME");
    char path[STATE_BYTES_MAX];

    if (loading->config->state)
        return;
    if (geteuid() == 0)
        snprintf(path, sizeof(path), ROOT_STATE);
    else if (xdg && *xdg == '/')
        snprintf(path, sizeof(path), "%s/roost", xdg);
    else if (home && *home == '/')
        snprintf(path, sizeof(path), "%s/.local/state/roost", home);
    else
        config_loading_note_path(loading, true, "state",
                                 "there is no $HOME to keep it in; set --state DIR");
    if (loading->notes->errors == 0)
        loading->config->state = arena_copy(&loading->config->memory, view_of(path));
}

/* The first line of a regular file, zero-ended and at most `capacity` - 1 bytes of it. */
static int read_line(const char *path, char *line, size_t capacity, mode_t *mode)
{
    struct stat facts;
    ssize_t size;
    int fd;

    if (stat(path, &facts) < 0)
        return -errno;
    if (!S_ISREG(facts.st_mode))
        return -EINVAL;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size = fd < 0 ? -1 : read(fd, line, capacity - 1);
    if (size < 0) {
        int error = -errno;

        descriptor_close(&fd);
        return error;
    }
    descriptor_close(&fd);
    line[size] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    *mode = facts.st_mode;
    return 0;
}

static void derive_token(struct config_loading *loading)
{
    struct config_control *control = &loading->config->control;
    char token[CONFIG_TOKEN_BYTES_MAX + 3];
    mode_t mode = 0;
    int error;

    if (control->token || !control->token_file)
        return;
    error = read_line(control->token_file, token, sizeof(token), &mode);
    if (error < 0)
        config_loading_note_path(loading, true, "control.token-file", "%s: %s", control->token_file,
                                 strerror(-error));
    else if (config_setting_is_token(token))
        control->token = arena_copy(&loading->config->memory, view_of(token));
    else
        config_loading_note_path(loading, true, "control.token-file",
                                 "expected a first line of 1 to %d visible ASCII characters",
                                 CONFIG_TOKEN_BYTES_MAX);
    if (mode & S_IROTH)
        config_loading_note_path(loading, false, "control.token-file",
                                 "everybody on this machine may read %s; chmod 600 is better",
                                 control->token_file);
    explicit_bzero(token, sizeof(token));
}

void config_derive_defaults(struct config_loading *loading)
{
    for (unsigned i = 0; i < loading->config->service_count; i++) {
        derive_names(loading, i);
        derive_balance(&loading->config->services[i].balance);
    }
    derive_state(loading);
    derive_token(loading);
}

/* The slots that many replicas want for an even table (measured with the scheme). */
static unsigned advised_slots(unsigned count)
{
    return count > 300 ? 1u << 20 : count > 100 ? 1u << 18 : BALANCE_SLOTS_MIN;
}

static void check_slots(struct config_loading *loading, unsigned index)
{
    const struct config_service *service = &loading->config->services[index];
    unsigned slots = service->balance.slots;
    unsigned advised = advised_slots(service->replicas.count);
    char path[CONFIG_PATH_BYTES];

    snprintf(path, sizeof(path), "services[%u].balance.slots", index);
    if (slots & (slots - 1) || slots < BALANCE_SLOTS_MIN)
        config_loading_note_path(loading, true, path,
                                 "expected a power of two from %u to %u, found \"%u\"",
                                 BALANCE_SLOTS_MIN, CONFIG_SLOTS_MAX, slots);
    else if (slots < advised)
        config_loading_note_path(loading, false, path,
                                 "for %u replicas %u slots are advised, here are %u",
                                 service->replicas.count, advised, slots);
}

/* The ring of `classic` has a slot of its own for each virtual server. */
static void check_ring(struct config_loading *loading, unsigned index)
{
    const struct config_service *service = &loading->config->services[index];
    const struct config_balance *balance = &service->balance;
    uint64_t wanted = (uint64_t)balance->virtual_servers * service->replicas.count;
    char path[CONFIG_PATH_BYTES];

    snprintf(path, sizeof(path), "services[%u].balance.virtual", index);
    if (balance->virtual_servers > balance->slots)
        config_loading_note_path(loading, true, path,
                                 "expected a whole number from 1 to %u, the number of slots, "
                                 "found \"%u\"",
                                 balance->slots, balance->virtual_servers);
    else if (wanted > balance->slots)
        config_loading_note_path(loading, true, path,
                                 "%u replicas with %u virtual servers each need %llu slots, the "
                                 "ring has %u",
                                 service->replicas.count, balance->virtual_servers,
                                 (unsigned long long)wanted, balance->slots);
}

static void check_balance(struct config_loading *loading, unsigned index)
{
    const struct config_balance *balance = &loading->config->services[index].balance;
    char path[CONFIG_PATH_BYTES];

    if (balance->scheme == CONFIG_SCHEME_SLOT_HRW)
        check_slots(loading, index);
    if (balance->scheme == CONFIG_SCHEME_CLASSIC)
        check_ring(loading, index);
    snprintf(path, sizeof(path), "services[%u].balance.bound", index);
    if (balance->bound_thousandths != CONFIG_OFF && balance->bound_thousandths % 10)
        config_loading_note_path(loading, true, path, "expected at most two decimal places");
}

static void check_names(struct config_loading *loading, unsigned index)
{
    const struct config_texts *names = &loading->config->services[index].replicas.names;
    unsigned count = loading->config->services[index].replicas.count;
    char path[CONFIG_PATH_BYTES];

    snprintf(path, sizeof(path), "services[%u].replicas.count", index);
    if (names->count > count)
        config_loading_note_path(loading, true, path,
                                 "there are more names (%u) than replicas (%u)", names->count,
                                 count);
    for (unsigned i = 1; i < names->count; i++) {
        struct config_texts earlier = {names->items, i};

        if (!has_text(&earlier, names->items[i]))
            continue;
        snprintf(path, sizeof(path), "services[%u].replicas.names[%u]", index, i);
        config_loading_note_path(loading, true, path, "the name \"%s\" is there already",
                                 names->items[i]);
    }
}

static const struct config_pair *find_host(const struct config_pairs *addresses, struct view name)
{
    for (unsigned i = 0; i < addresses->count; i++) {
        const struct config_pair *pair = &addresses->items[i];

        if (view_equals(view_of(pair->name), name) &&
            config_text_is_host_port(view_of(pair->value)))
            return pair;
    }
    return NULL;
}

/* The replicas of a host name need room for their names, which nobody else may have. */
static void check_addresses(struct config_loading *loading, unsigned index)
{
    const struct config_pairs *addresses = &loading->config->services[index].replicas.addresses;
    char path[CONFIG_PATH_BYTES];

    snprintf(path, sizeof(path), "services[%u].replicas.addresses", index);
    for (unsigned i = 0; i < addresses->count; i++) {
        const struct config_pair *pair = &addresses->items[i];
        struct address address;
        struct view entry;

        if (config_text_is_host_port(view_of(pair->value))) {
            if (strlen(pair->name) > DRIVER_STATIC_NAME_ENTRY_MAX)
                config_loading_note_path(loading, true, path,
                                         "the name \"%s\" has more than %d characters: the "
                                         "replicas of a host name are called NAME-IP",
                                         pair->name, DRIVER_STATIC_NAME_ENTRY_MAX);
            continue;
        }
        if (driver_static_name_read(pair->name, &entry, &address) == 0 &&
            find_host(addresses, entry))
            config_loading_note_path(loading, true, path,
                                     "\"%s\" is what a replica of \"%.*s\" could be called: "
                                     "choose another name",
                                     pair->name, VIEW_ARGUMENTS(entry));
    }
}

static void check_outlier(struct config_loading *loading, unsigned index)
{
    const struct outlier_rules *outlier = &loading->config->services[index].outlier;
    char path[CONFIG_PATH_BYTES];

    snprintf(path, sizeof(path), "services[%u].outlier.most", index);
    if (outlier->most_ms < outlier->base_ms)
        config_loading_note_path(loading, true, path,
                                 "it is shorter than \"base\" (%u ms): found %u ms",
                                 outlier->base_ms, outlier->most_ms);
}

static void check_services(struct config_loading *loading)
{
    const struct config *config = loading->config;
    unsigned total = 0;
    char path[CONFIG_PATH_BYTES];

    for (unsigned i = 0; i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];

        check_balance(loading, i);
        check_names(loading, i);
        check_addresses(loading, i);
        check_outlier(loading, i);
        total += service->replicas.driver == CONFIG_DRIVER_STATIC
                     ? service->replicas.addresses.count
                     : service->replicas.count;
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(config->services[j].name, service->name) != 0)
                continue;
            snprintf(path, sizeof(path), "services[%u].name", i);
            config_loading_note_path(loading, true, path, "the name \"%s\" is there already",
                                     service->name);
            break;
        }
        if (service->replicas.driver == CONFIG_DRIVER_STATIC &&
            !service->replicas.addresses.count) {
            snprintf(path, sizeof(path), "services[%u].replicas.addresses", i);
            config_loading_note_path(loading, true, path,
                                     "the driver static needs at least one address");
        }
    }
    if (total > config->limits.replicas)
        config_loading_note_path(loading, true, "limits.replicas",
                                 "%u, but the services have %u replicas together",
                                 config->limits.replicas, total);
}

static bool has_service(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->service_count; i++) {
        if (strcmp(config->services[i].name, name) == 0)
            return true;
    }
    return false;
}

static void check_listeners(struct config_loading *loading)
{
    const struct config *config = loading->config;
    char path[CONFIG_PATH_BYTES];

    for (unsigned i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];

        snprintf(path, sizeof(path), "listen[%u].address", i);
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(config->listeners[j].address, listener->address) == 0)
                config_loading_note_path(loading, true, path, "%s is there already",
                                         listener->address);
        }
        if (has_text(&config->control.addresses, listener->address))
            config_loading_note_path(loading, true, path,
                                     "%s is the control API's address too; it needs its own",
                                     listener->address);
        for (unsigned j = 0; j < listener->services.count; j++) {
            if (has_service(config, listener->services.items[j]))
                continue;
            snprintf(path, sizeof(path), "listen[%u].services[%u]", i, j);
            config_loading_note_path(loading, true, path, "there is no service \"%s\"",
                                     listener->services.items[j]);
        }
    }
}

static void check_control(struct config_loading *loading)
{
    const struct config_control *control = &loading->config->control;

    for (unsigned i = 0; i < control->addresses.count && !control->token; i++) {
        if (config_listen_is_local(control->addresses.items[i]))
            continue;
        config_loading_note_path(loading, true, "control.address",
                                 "%s is reached from other machines, so a token is required: set "
                                 "control.token-file or ROOST_CONTROL_TOKEN",
                                 control->addresses.items[i]);
    }
}

void config_derive_check(struct config_loading *loading)
{
    check_services(loading);
    check_listeners(loading);
    check_control(loading);
}
