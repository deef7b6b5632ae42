#include "control/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "control/memory_limit.h"

/* Below that share of healthy replicas the verdicts of probes are not believed. */
#define PANIC_PERCENT 50

/* What may be queued where nobody says, and what may be kept: two such parts of the memory there
 * is. The rest is for processes, connections and what the kernel holds for them. */
#define BUFFERED_PART      8
#define BUFFERED_BYTES_MIN (4u << 20)

/* Of the memory there is: a connection with a request under way, and the one to the replica, as
 * they are counted in a control group, the kernel's part included. */
#define CONNECTION_BYTES (16u << 10)
#define CONNECTIONS_MIN  16

/* Of one worker. */
static uint32_t connections_max(const struct config_limits *limits, unsigned workers)
{
    uint64_t most = memory_limit_bytes() / CONNECTION_BYTES;

    if (most < CONNECTIONS_MIN)
        most = CONNECTIONS_MIN;
    if (most > limits->connections)
        most = limits->connections;
    return (uint32_t)((most + workers - 1) / workers);
}

static uint64_t buffered_bytes(const struct config_limits *limits, unsigned workers)
{
    uint64_t bytes = limits->buffered_total_bytes;

    if (bytes == 0)
        bytes = memory_limit_bytes() / BUFFERED_PART;
    bytes /= workers;
    return bytes < BUFFERED_BYTES_MIN ? BUFFERED_BYTES_MIN : bytes;
}

static uint32_t outbound_idle_ms(const struct config *config)
{
    uint32_t least = UINT32_MAX;

    for (unsigned i = 0; i < config->service_count; i++) {
        uint32_t idle_ms = config->services[i].timeouts.outbound_idle_ms;

        least = idle_ms < least ? idle_ms : least;
    }
    return least;
}

static void draw_trusted(const struct config_networks *networks, struct table_settings *settings)
{
    for (unsigned i = 0; i < networks->count && i < TABLE_TRUSTED_MAX; i++)
        settings->trusted[settings->trusted_count++] = networks->items[i].range;
}

static void draw_settings(const struct picture *picture, struct table_settings *settings)
{
    const struct config *config = picture->config;
    unsigned workers = picture->workers;

    *settings = (struct table_settings){
        .compat = config->compat,
        .connections_max = connections_max(&config->limits, workers),
        .header_bytes = (uint32_t)config->limits.header_bytes,
        .header_fields = config->limits.header_fields,
        .target_bytes = (uint32_t)config->limits.target_bytes,
        .requests_max = config->limits.connection_requests,
        .lifetime_ms = config->limits.connection_lifetime_ms,
        .pace = (uint32_t)config->limits.min_rate,
        .client_limits = {config->limits.client_connections, config->limits.client_requests,
                          config->limits.client_burst ? config->limits.client_burst
                                                      : config->limits.client_requests},
        .header_timeout_ms = config->limits.header_timeout_ms,
        .idle_timeout_ms = config->limits.idle_timeout_ms,
        .outbound_idle_ms = outbound_idle_ms(config),
        .body_bytes = config->limits.body_bytes,
        .buffered_bytes = buffered_bytes(&config->limits, workers),
        .access_format = config->log.access_format == LOG_LOGFMT,
    };
    draw_trusted(&config->trusted_proxies, settings);
}

static bool has_service(const struct config_listener *listener, const char *name)
{
    for (unsigned i = 0; i < listener->services.count; i++) {
        if (strcmp(listener->services.items[i], name) == 0)
            return true;
    }
    return listener->services.count == 0;
}

static void draw_listener(const struct picture *picture, unsigned number,
                          struct table_listener *listener)
{
    const struct listeners_one *one = &picture->listeners->all[number];
    const struct config *config = picture->config;

    memset(listener, 0, sizeof(*listener));
    if (one->address.size == 0)
        return;
    listener->is_loopback = address_is_loopback(&one->address);
    if (one->is_leaving) {
        memcpy(listener->services, one->services, sizeof(listener->services));
        return;
    }
    for (unsigned i = 0; i < config->service_count; i++) {
        if (has_service(&config->listeners[one->declared], config->services[i].name))
            listener->services[i / 64] |= UINT64_C(1) << (i % 64);
    }
}

static void draw_rules(const struct config_service *service, struct table_rules *rules)
{
    const struct config_balance *balance = &service->balance;

    *rules = (struct table_rules){
        .connect_ms = service->timeouts.connect_ms,
        .response_ms = service->timeouts.response_ms,
        .idle_ms = service->timeouts.idle_ms,
        .attempts = service->retries.attempts,
        .retry_permille = service->retries.budget_thousandths,
        .retry_body_bytes = (uint32_t)service->retries.body_bytes,
        .bound = BALANCE_BOUND_OFF,
        .bound_floor = balance->bound_floor,
        .panic_percent = PANIC_PERCENT,
        .exposes_replica = service->expose_replica,
        .hold_ms = service->hold_ms,
    };
    if (balance->bound_thousandths != CONFIG_OFF)
        rules->bound = balance->bound_thousandths / 10;
}

struct balance_options picture_balance_options(const struct config_service *service)
{
    const struct config_balance *balance = &service->balance;
    struct balance_options options = BALANCE_OPTIONS;

    options.scheme = config_scheme_name(balance->scheme);
    options.slots = balance->slots;
    if (balance->scheme == CONFIG_SCHEME_SLOT_HRW)
        options.cap = balance->cap_thousandths == CONFIG_OFF ? BALANCE_CAP_OFF
                                                             : balance->cap_thousandths * 10;
    if (balance->scheme == CONFIG_SCHEME_CLASSIC) {
        options.virtual_servers = balance->virtual_servers;
        options.request_hash = config_request_hash_name(balance->request_hash);
        options.server_hash = config_server_hash_name(balance->server_hash);
    }
    return options;
}

/* The caller's to free(). */
static struct table_replica *draw_replicas(const struct crew *crew)
{
    struct table_replica *replicas = memory_allocate((crew->count + 1) * sizeof(*replicas));
    struct table_replica *at = replicas;

    LIST_FOR_EACH (position, &crew->members) {
        const struct crew_member *member = CONTAINER_OF(position, struct crew_member, list);

        snprintf(at->name, sizeof(at->name), "%s", member->name);
        at->address = member->replica->address;
        at->seat = member->replica->seat;
        at->incarnation = member->replica->incarnation;
        at->weight = member->weight;
        at++;
    }
    return replicas;
}

static int draw_service(const struct picture *picture, unsigned number,
                        struct table_replica **replicas, struct table_service_spec *spec,
                        struct error *why)
{
    const struct config_service *service = &picture->config->services[number];
    struct crew *crew = &picture->crews[number];
    const struct balance_image *image;
    int result = crew_placement(crew, &image, why);

    if (result < 0)
        return result;
    *spec = (struct table_service_spec){
        .name = service->name,
        .host = service->match.host,
        .path = service->match.path,
        .image = image,
        .previous = handoff_image(&crew->handoff),
        .keys = service->balance.key.items,
        .key_count = service->balance.key.count,
        .replica_count = crew->count,
    };
    *replicas = draw_replicas(crew);
    spec->replicas = *replicas;
    draw_rules(service, &spec->rules);
    return 0;
}

int picture_build(const struct picture *picture, uint64_t epoch, int *fd, struct error *why)
{
    unsigned count = picture->config->service_count;
    struct table_service_spec *services = memory_allocate(count * sizeof(*services));
    struct table_replica **replicas = memory_allocate(count * sizeof(*replicas));
    struct table_listener listeners[TABLE_LISTENERS_MAX];
    struct table_spec spec = {
        .epoch = epoch,
        .listeners = listeners,
        .listener_count = picture->listeners->count,
        .services = services,
        .service_count = count,
    };
    int result = 0;

    draw_settings(picture, &spec.settings);
    for (unsigned i = 0; i < spec.listener_count; i++)
        draw_listener(picture, i, &listeners[i]);
    for (unsigned i = 0; result == 0 && i < count; i++)
        result = draw_service(picture, i, &replicas[i], &services[i], why);
    if (result == 0)
        result = table_build(&spec, fd, why);
    for (unsigned i = 0; i < count; i++)
        free(replicas[i]);
    free(replicas);
    free(services);
    return result;
}
