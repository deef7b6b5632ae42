#include "api/api_v1.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_classic.h"
#include "api/api_stats.h"
#include "base/clock.h"
#include "base/memory.h"
#include "control/keeper.h"

#define SERVICES        VIEW("/v1/services/")
#define MEDIAN_PERMILLE 500
#define TAIL_PERMILLE   990

/* ---- what a path means ---- */

static bool names_service(const struct api_request *request)
{
    return view_starts_with(view_of(request->route->path), SERVICES);
}

struct crew *api_v1_crew(struct api_request *request)
{
    struct keeper *keeper = request->api->keeper;
    char name[API_PART_BYTES];

    if (names_service(request))
        memcpy(name, request->parts[0], sizeof(name));
    else if (!api_query(request, "service", name, sizeof(name)))
        return &keeper->crews[0];
    for (unsigned i = 0; i < keeper->config->service_count; i++) {
        if (strcmp(keeper->crews[i].config->name, name) == 0)
            return &keeper->crews[i];
    }
    api_fail(request, 404, "there is no service '%s'", name);
    return NULL;
}

struct crew_member *api_v1_member(struct api_request *request, struct crew *crew)
{
    const char *name = request->parts[names_service(request) ? 1 : 0];
    struct crew_member *member = crew_find(crew, name);

    if (!member)
        api_fail(request, 404, "there is no replica '%s' in service %s", name, crew->config->name);
    return member;
}

/* ---- epochs as entity tags ---- */

void api_v1_add_tag(struct api_request *request)
{
    char tag[API_V1_TAG_BYTES];

    snprintf(tag, sizeof(tag), "\"%" PRIu64 "\"", request->api->keeper->publish.epoch);
    api_add_field(request, "ETag", tag);
}

bool api_v1_read_tag(struct api_request *request, uint64_t *epoch)
{
    struct view list = view_of(request->if_match);
    struct view tag;

    *epoch = 0;
    if (list.size == 0 || view_equals(list, VIEW("*")))
        return true;
    while (view_next_in_list(&list, &tag)) {
        struct view inside = view_first(view_after(tag, 1), tag.size < 2 ? 0 : tag.size - 2);
        uint64_t number;

        if (tag.data[0] != '"' || tag.data[tag.size - 1] != '"' ||
            view_to_number(inside, UINT64_MAX, &number) < 0)
            continue;
        *epoch = number > *epoch ? number : *epoch;
    }
    if (*epoch)
        return true;
    api_fail(request, 412, "If-Match names no epoch: \"%" PRIu64 "\" is the present one",
             request->api->keeper->publish.epoch);
    return false;
}

uint16_t api_v1_status_of(int result)
{
    return result == -EINPROGRESS ? 202 : api_classic_status(result);
}

/* ---- bodies ---- */

bool api_v1_check_keys(struct api_request *request, const json_t *body, const char *const *keys)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)body, key, value)
    {
        bool is_known = false;

        for (unsigned i = 0; keys[i] && !is_known; i++)
            is_known = strcmp(keys[i], key) == 0;
        if (is_known)
            continue;
        api_fail(request, 400, "'%.100s' is not known here", key);
        return false;
    }
    return true;
}

static bool take_name(struct api_request *request, const json_t *value, struct crew_wish *wish)
{
    const char *name = json_string_value(value);

    if (!name) {
        api_fail(request, 400, "'names' is not a list of strings");
        return false;
    }
    if (!api_classic_is_name(name)) {
        api_fail(request, 400,
                 "'%.100s' is not a name: 1 to 63 letters, digits, spaces, '.', '_' or '-', the "
                 "first and the last a letter or digit",
                 name);
        return false;
    }
    for (unsigned i = 0; i < wish->name_count; i++) {
        if (strcmp(wish->names[i], name) != 0)
            continue;
        api_fail(request, 400, "'%s' is in the list twice", name);
        return false;
    }
    snprintf(wish->names[wish->name_count++], CREW_NAME_BYTES, "%s", name);
    return true;
}

static bool take_names(struct api_request *request, const json_t *names, struct crew_wish *wish)
{
    const json_t *name;
    size_t i;

    if (names && !json_is_array(names)) {
        api_fail(request, 400, "'names' is not a list of strings");
        return false;
    }
    if (json_array_size(names) > CREW_CHANGE_MAX) {
        api_fail(request, 400, "'names' has more than %d entries", CREW_CHANGE_MAX);
        return false;
    }
    wish->names = memory_allocate((json_array_size(names) + 1) * sizeof(*wish->names));
    json_array_foreach(names, i, name)
    {
        if (!take_name(request, name, wish))
            return false;
    }
    return true;
}

bool api_v1_read_wish(struct api_request *request, const json_t *body, struct crew_wish *wish)
{
    static const char *const keys[] = {"count", "names", NULL};
    const json_t *count = json_object_get(body, "count");
    json_int_t number = json_integer_value(count);

    if (!api_v1_check_keys(request, body, keys) ||
        !take_names(request, json_object_get(body, "names"), wish))
        return false;
    wish->count = wish->name_count ? wish->name_count : 1;
    if (!count)
        return true;
    if (!json_is_integer(count) || number < 1 || number > CREW_CHANGE_MAX) {
        api_fail(request, 400, "'count' is not an integer between 1 and %d", CREW_CHANGE_MAX);
        return false;
    }
    if (number < wish->name_count) {
        api_fail(request, 400, "there are more names than 'count'");
        return false;
    }
    wish->count = (unsigned)number;
    return true;
}

/* ---- replicas as JSON ---- */

static void set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static json_t *in_ms(const struct counts_seat *counts, unsigned permille)
{
    return json_real((double)segments_quantile_us(counts->latency, permille) / CLOCK_US_PER_MS);
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static void set_usage(json_t *json, const struct replica_usage *usage)
{
    bool is_known = usage->read_us != 0;

    set(json, "cpu_percent",
        usage->has_percent ? json_real((double)(int64_t)(usage->cpu_percent * 10 + 0.5) / 10)
                           : json_null());
    set(json, "cpu_s", is_known ? json_real((double)usage->cpu_us / CLOCK_US_PER_S) : json_null());
    set(json, "memory_bytes",
        is_known ? json_integer((json_int_t)usage->memory_bytes) : json_null());
}

/* A moment of the monotonic clock as people write it. */
static json_t *moment(uint64_t us)
{
    uint64_t now_us = clock_now_us();
    uint64_t wall_ms = clock_wall_ms();
    char text[CLOCK_TEXT_BYTES];

    clock_to_text(us > now_us ? wall_ms + (us - now_us) / CLOCK_US_PER_MS
                              : wall_ms - (now_us - us) / CLOCK_US_PER_MS,
                  text);
    return json_string(text);
}

static void set_state(json_t *json, const struct replica *replica)
{
    const struct outlier *outlier = outlier_watch_of(replica);
    bool is_ejected = outlier && outlier->state == OUTLIER_EJECTED;
    char since[CLOCK_TEXT_BYTES];

    clock_to_text(replica->since_wall_ms, since);
    set(json, "state", json_string(outlier_watch_state_name(replica)));
    set(json, "since", outlier ? moment(outlier->since_us) : json_string(since));
    set(json, "reason", text_or_null(outlier ? outlier->why : replica->why));
    set(json, "ejected_until", is_ejected ? moment(outlier->until_us) : json_null());
}

json_t *api_v1_replica_json(const struct replica *replica)
{
    char address[ADDRESS_TEXT_BYTES] = "";
    bool waits = replica->state == REPLICA_DEAD || replica->state == REPLICA_PARKED;
    uint64_t now_us = clock_now_us();
    uint64_t next_us = replica->next_start_us > now_us ? replica->next_start_us - now_us : 0;
    json_t *json = json_object();

    if (replica->address.size)
        address_to_text(&replica->address, address);
    set(json, "name", json_string(replica->name));
    set(json, "service", json_string(replica->plan->service));
    set_state(json, replica);
    set(json, "address", text_or_null(address));
    set(json, "pid", replica->pid ? json_integer(replica->pid) : json_null());
    set(json, "incarnation", json_integer(replica->incarnation));
    set(json, "restarts", json_integer(replica->restarts));
    set(json, "next_start_ms",
        waits ? json_integer((json_int_t)(next_us / CLOCK_US_PER_MS)) : json_null());
    set(json, "healed_ms",
        replica->healed_us ? json_integer((json_int_t)(replica->healed_us / CLOCK_US_PER_MS))
                           : json_null());
    set_usage(json, &replica->usage);
    return json;
}

static json_t *with_share(const struct crew_member *member, double share)
{
    json_t *json = api_v1_replica_json(member->replica);
    struct counts_seat counts;

    crew_count(member, &counts);
    set(json, "weight", json_integer(member->weight));
    set(json, "drained", json_boolean(member->weight == 0));
    set(json, "share", json_real(share));
    set(json, "in_flight", json_integer((json_int_t)counts.in_flight));
    set(json, "requests", json_integer((json_int_t)counts.requests));
    set(json, "failures", json_integer((json_int_t)counts.failures));
    set(json, "p50_ms", in_ms(&counts, MEDIAN_PERMILLE));
    set(json, "p99_ms", in_ms(&counts, TAIL_PERMILLE));
    return json;
}

/* Where the keys of a name go by the table in force; 0 for one that is not in it yet. */
static double share_of(const struct table *table, unsigned service, const double *shares,
                       const char *name)
{
    const struct table_service *of = &table_services(table)[service];
    const struct table_replica *replicas = table_replicas(table, of);

    for (unsigned i = 0; i < of->replica_count; i++) {
        if (strcmp(replicas[i].name, name) == 0)
            return shares[i];
    }
    return 0;
}

/* All of them, or `only` that one. */
static json_t *members_json(const struct crew *crew, const struct crew_member *only)
{
    const struct table *table = crew->publish->table;
    unsigned count = table ? table_services(table)[crew->number].replica_count : 0;
    double *shares = memory_allocate((count + 1) * sizeof(*shares));
    json_t *list = json_array();

    if (table)
        api_stats_shares(table, crew->number, shares);
    LIST_FOR_EACH (at, &crew->members) {
        const struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);
        double share = table ? share_of(table, crew->number, shares, member->name) : 0;

        if (!only || member == only)
            json_array_append_new(list, with_share(member, share));
    }
    free(shares);
    return list;
}

json_t *api_v1_members_json(const struct crew *crew)
{
    return members_json(crew, NULL);
}

json_t *api_v1_member_json(const struct crew_member *member)
{
    json_t *list = members_json(member->crew, member);
    json_t *json = json_incref(json_array_get(list, 0));

    json_decref(list);
    return json;
}
