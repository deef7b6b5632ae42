#include "api/api_v1_status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api_v1.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "config/config_key.h"
#include "control/keeper.h"
#include "control/workers_count.h"

#define KEY_BYTES_MAX 256

static void set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)(value & INT64_MAX));
}

/* A moment as people write it. */
static json_t *moment(uint64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES];

    clock_to_text(wall_ms, text);
    return json_string(text);
}

static const char *phase_name(enum keeper_phase phase)
{
    switch (phase) {
    case KEEPER_STARTING:
        return "starting";
    case KEEPER_SERVING:
        return "serving";
    case KEEPER_DRAINING:
        return "draining";
    default:
        return "stopping";
    }
}

static json_t *node_json(const struct keeper *keeper)
{
    json_t *json = json_object();

    set(json, "version", json_string(ROOST_VERSION));
    set(json, "pid", json_integer(getpid()));
    set(json, "phase", json_string(phase_name(keeper->phase)));
    set(json, "run", json_string(keeper->events.run));
    set(json, "started", moment(keeper->started_wall_ms));
    set(json, "uptime_s",
        json_real((double)(clock_now_us() - keeper->started_us) / CLOCK_US_PER_S));
    set(json, "state", json_string(keeper->folder.state));
    set(json, "compat", json_string(config_compat_name(keeper->config->compat)));
    return json;
}

static json_t *table_json(const struct publish *publish)
{
    return json_pack("{s:o, s:o, s:s}", "epoch", number(publish->epoch), "adopted",
                     number(publish->adopted), "digest",
                     publish->table ? publish->table->digest : "");
}

static json_t *total_json(const struct workers *workers)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    struct counts_total total = workers_count_total(workers);
    json_t *statuses = json_object();
    json_t *json = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        set(statuses, classes[i], number(total.statuses[i + 1]));
    set(json, "requests", number(total.requests));
    set(json, "errors", number(total.errors));
    set(json, "retries", number(total.retries));
    set(json, "in_flight", number(total.in_flight));
    set(json, "connections", number(total.connections));
    set(json, "log_dropped", number(total.log_dropped));
    set(json, "sandbox_refusals", number(total.sandbox_refusals));
    set(json, "statuses", statuses);
    return json;
}

static json_t *worker_json(const struct workers_one *one)
{
    const struct count_segment *counts = one->counts;
    json_t *json = json_object();

    set(json, "number", json_integer(one->number));
    set(json, "pid", json_integer(one->pid));
    set(json, "ready", json_boolean(one->is_ready));
    set(json, "started", moment(one->started_wall_ms));
    set(json, "epoch", number(one->adopted));
    set(json, "turns", number(SEGMENTS_READ(counts->turns)));
    set(json, "connections", json_integer(SEGMENTS_READ(counts->connections)));
    set(json, "in_flight", json_integer(SEGMENTS_READ(counts->in_flight)));
    set(json, "requests", number(SEGMENTS_READ(counts->requests)));
    return json;
}

static json_t *workers_json(const struct workers *workers)
{
    json_t *list = json_array();

    LIST_FOR_EACH (at, &workers->all) {
        const struct workers_one *one = CONTAINER_OF(at, struct workers_one, list);

        if (one->counts)
            json_array_append_new(list, worker_json(one));
    }
    return list;
}

static json_t *address_json(const struct address *address)
{
    char text[ADDRESS_TEXT_BYTES];

    address_to_text(address, text);
    return json_string(text);
}

static json_t *control_json(const struct keeper *keeper)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < keeper->control_count; i++)
        json_array_append_new(list, address_json(&keeper->control_addresses[i]));
    return list;
}

static json_t *keys_json(const struct config_balance *balance)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < balance->key.count; i++) {
        struct buffer text;

        buffer_init(&text, KEY_BYTES_MAX);
        config_key_print(&balance->key.items[i], &text);
        json_array_append_new(list, json_stringn(buffer_view(&text).data, buffer_size(&text)));
        buffer_finish(&text);
    }
    return list;
}

/* Those that are no members: on their way in, or (`leaves`) out. */
static json_t *others_json(const struct crew *crew, bool leaves)
{
    json_t *list = json_array();

    LIST_FOR_EACH (at, &crew->supervisor->all) {
        const struct replica *replica = CONTAINER_OF(at, struct replica, list);

        if (replica->plan != &crew->plan || replica_is_leaving(replica) != leaves)
            continue;
        if (leaves || !crew_member_of(replica))
            json_array_append_new(list, api_v1_replica_json(replica));
    }
    return list;
}

static void append_addresses(json_t *list, const struct lookup_known *known)
{
    for (unsigned i = 0; i < known->count; i++)
        json_array_append_new(list, address_json(&known->addresses[i]));
}

static json_t *lookup_json(const struct lookup *lookup)
{
    json_t *addresses = json_array();
    json_t *json = json_object();

    append_addresses(addresses, &lookup->known[RESOLVER_IPV4]);
    append_addresses(addresses, &lookup->known[RESOLVER_IPV6]);
    set(json, "name", json_string(lookup->entry));
    set(json, "host", json_string(lookup->host));
    set(json, "state", json_string(lookup_state_name(lookup->state)));
    set(json, "addresses", addresses);
    set(json, "passed_over", json_integer(lookup->passed_over));
    set(json, "ttl_s", json_integer(lookup->ttl_s));
    set(json, "answers", number(lookup->answers));
    set(json, "failures", number(lookup->failures));
    set(json, "reason", lookup->why[0] ? json_string(lookup->why) : json_null());
    return json;
}

static json_t *lookups_json(const struct lookups *lookups, const struct crew *crew)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < lookups->count; i++) {
        if (lookups->all[i].crew == crew)
            json_array_append_new(list, lookup_json(&lookups->all[i]));
    }
    return list;
}

static json_t *service_json(const struct keeper *keeper, const struct crew *crew)
{
    const struct config_service *config = crew->config;
    json_t *json = json_object();

    set(json, "name", json_string(config->name));
    set(json, "driver", json_string(config_driver_name(config->replicas.driver)));
    set(json, "scheme", json_string(config_scheme_name(config->balance.scheme)));
    set(json, "key", keys_json(&config->balance));
    set(json, "count", json_integer(crew->count));
    set(json, "replicas", api_v1_members_json(crew));
    set(json, "arriving", others_json(crew, false));
    set(json, "leaving", others_json(crew, true));
    set(json, "lookups", lookups_json(&keeper->lookups, crew));
    return json;
}

static json_t *services_json(const struct keeper *keeper)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < keeper->config->service_count; i++)
        json_array_append_new(list, service_json(keeper, &keeper->crews[i]));
    return list;
}

void api_v1_status(struct api_request *request)
{
    struct keeper *keeper = request->api->keeper;
    json_t *json = json_object();

    usage_look(&keeper->usage);
    set(json, "node", node_json(keeper));
    set(json, "table", table_json(&keeper->publish));
    set(json, "total", total_json(&keeper->workers));
    set(json, "workers", workers_json(&keeper->workers));
    set(json, "listeners", listeners_json(&keeper->listeners));
    set(json, "control", control_json(keeper));
    set(json, "services", services_json(keeper));
    api_v1_add_tag(request);
    api_answer_json(request, 200, json);
}

void api_v1_status_services(struct api_request *request)
{
    struct keeper *keeper = request->api->keeper;

    usage_look(&keeper->usage);
    api_v1_add_tag(request);
    api_answer_json(request, 200,
                    json_pack("{s:o, s:o}", "epoch", number(keeper->publish.epoch), "services",
                              services_json(keeper)));
}
