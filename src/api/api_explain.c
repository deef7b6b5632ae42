#include "api/api_explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_v1.h"
#include "base/memory.h"
#include "config/config_key.h"
#include "control/keeper.h"
#include "control/workers_count.h"

#define HASH_BYTES       17
#define SOURCE_BYTES_MAX 256
#define HEALTHY_PARTS    100

/* A key and what is known about where it goes. */
struct question {
    const struct keeper *keeper;
    const struct crew *crew;
    const struct table *table;
    const struct table_service *service;
    const struct balance_image *image;
    struct balance_load load;
    uint32_t *in_flight;
    uint64_t hash;
    bool is_panicking;
};

static const struct table_replica *replica_at(const struct question *question, unsigned member)
{
    return table_replicas(question->table, question->service) + member;
}

static enum seat_state state_of(const struct question *question, unsigned member)
{
    const struct table_replica *replica = replica_at(question, member);

    return segments_state(question->keeper->states, replica->seat, replica->incarnation);
}

/* As the workers do (proxy/proxy.c). */
static bool is_panicking(const struct question *question)
{
    unsigned healthy = 0;
    unsigned down = 0;

    for (unsigned i = 0; i < question->service->replica_count; i++) {
        enum seat_state state = state_of(question, i);

        healthy += state == SEAT_UP || state == SEAT_WARMING;
        down += state == SEAT_DOWN || state == SEAT_EJECTED || state == SEAT_PROBATION;
    }
    return healthy * HEALTHY_PARTS < (healthy + down) * question->service->rules.panic_percent;
}

static void count_load(struct question *question)
{
    unsigned count = question->service->replica_count;

    question->in_flight = memory_allocate((count + 1) * sizeof(*question->in_flight));
    for (unsigned i = 0; i < count; i++) {
        question->in_flight[i] =
            workers_count_in_flight(&question->keeper->workers, replica_at(question, i)->seat);
        question->load.total += question->in_flight[i];
    }
    question->load.in_flight = question->in_flight;
}

static bool is_warm(const struct question *question, unsigned member)
{
    uint32_t seat = replica_at(question, member)->seat;

    return question->hash % HEALTHY_PARTS <
           SEGMENTS_READ(question->keeper->states->seats[seat].warming_percent);
}

/* Why it is passed over, or NULL. */
static const char *obstacle(const struct question *question, unsigned member)
{
    switch (state_of(question, member)) {
    case SEAT_UP:
        break;
    case SEAT_WARMING:
        if (!is_warm(question, member))
            return "warming";
        break;
    case SEAT_DOWN:
        if (!question->is_panicking)
            return "down";
        break;
    case SEAT_EJECTED:
        if (!question->is_panicking)
            return "ejected";
        break;
    case SEAT_PROBATION:
        if (!question->is_panicking)
            return "on probation, one request at a time";
        break;
    case SEAT_STARTING:
        return "starting";
    case SEAT_DRAINING:
        return "draining";
    default:
        return "dead";
    }
    if (balance_is_over_bound(question->image, &question->load, member,
                              question->service->rules.bound, question->service->rules.bound_floor))
        return "over its bound";
    return NULL;
}

/* Where nobody is without an obstacle: one that at least runs. */
static bool is_there(const struct question *question, unsigned member)
{
    enum seat_state state = state_of(question, member);

    return segments_is_running(state) || (state == SEAT_DOWN && question->is_panicking);
}

static const char *state_name(const struct question *question, unsigned member)
{
    const char *name = replica_at(question, member)->name;
    const struct crew_member *at = crew_find((struct crew *)question->crew, name);

    return at ? outlier_watch_state_name(at->replica) : "gone";
}

/* The ranks; `chosen` is the one that gets the key, BALANCE_NONE where none does. */
static json_t *ranks_json(const struct question *question, unsigned *chosen, unsigned *rank)
{
    json_t *list = json_array();
    unsigned at_need = BALANCE_NONE;
    unsigned member;

    *chosen = BALANCE_NONE;
    for (unsigned i = 0; i < API_EXPLAIN_RANKS_MAX; i++) {
        const char *skip;

        member = balance_owner(question->image, question->hash, i, &question->load);
        if (member == BALANCE_NONE)
            break;
        skip = obstacle(question, member);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s?}", "name",
                                              balance_name(question->image, member), "state",
                                              state_name(question, member), "skip", skip));
        if (*chosen == BALANCE_NONE && !skip) {
            *chosen = member;
            *rank = i;
        }
        if (at_need == BALANCE_NONE && is_there(question, member)) {
            at_need = member;
            *rank = *chosen == BALANCE_NONE ? i : *rank;
        }
    }
    if (*chosen == BALANCE_NONE)
        *chosen = at_need;
    return list;
}

/* An idempotent request is held (proxy/hold.h). */
static bool is_waited_for(const struct question *question, unsigned owner)
{
    return question->service->rules.hold_ms > 0 &&
           segments_is_returning(question->keeper->states, replica_at(question, owner)->seat);
}

static json_t *why_json(const struct question *question, unsigned chosen, unsigned rank)
{
    unsigned owner = balance_owner(question->image, question->hash, 0, &question->load);
    char text[ERROR_TEXT_BYTES];

    if (owner == BALANCE_NONE)
        return json_string("no replica has a weight");
    if (chosen == BALANCE_NONE)
        snprintf(text, sizeof(text), "none of the replicas may be used: the answer is 503");
    else if (rank == 0)
        snprintf(text, sizeof(text), "'%s' owns the key", balance_name(question->image, chosen));
    else
        snprintf(text, sizeof(text), "'%s' owns the key and is %s: rank %u takes it%s",
                 balance_name(question->image, owner), obstacle(question, owner), rank + 1,
                 is_waited_for(question, owner) ? ", or waits for it where it may" : "");
    return json_string(text);
}

/* The source a request's key is taken from first; an explanation supposes that it was there. */
static json_t *source_json(const struct crew *crew)
{
    struct buffer text;
    json_t *json;

    if (crew->config->balance.key.count == 0)
        return json_null();
    buffer_init(&text, SOURCE_BYTES_MAX);
    config_key_print(&crew->config->balance.key.items[0], &text);
    json = json_stringn(buffer_view(&text).data, buffer_size(&text));
    buffer_finish(&text);
    return json;
}

static json_t *unkeyed_json(const struct question *question, const char *key)
{
    char why[ERROR_TEXT_BYTES];

    snprintf(why, sizeof(why), "%s places no keys: each request goes where there is room",
             balance_scheme(question->image));
    return json_pack("{s:s, s:n, s:n, s:n, s:[], s:n, s:s}", "key", key, "source", "hash", "slot",
                     "ranks", "goes_to", "why", why);
}

static json_t *answer_json(struct question *question, const char *key)
{
    char hash[HASH_BYTES];
    unsigned chosen;
    unsigned rank = 0;
    json_t *json = json_object();
    json_t *ranks;

    question->hash = balance_hash(question->image, view_of(key), NULL);
    ranks = ranks_json(question, &chosen, &rank);
    snprintf(hash, sizeof(hash), "%016" PRIx64, question->hash);
    json_object_set_new(json, "key", json_string(key));
    json_object_set_new(json, "source", source_json(question->crew));
    json_object_set_new(json, "hash", json_string(hash));
    json_object_set_new(json, "slot",
                        balance_slots(question->image)
                            ? json_integer(balance_slot(question->image, question->hash))
                            : json_null());
    json_object_set_new(json, "ranks", ranks);
    json_object_set_new(
        json, "goes_to",
        chosen == BALANCE_NONE ? json_null() : json_string(balance_name(question->image, chosen)));
    json_object_set_new(json, "why", why_json(question, chosen, rank));
    return json;
}

void api_explain(struct api_request *request)
{
    struct question question = {.keeper = request->api->keeper, .crew = api_v1_crew(request)};
    char key[API_PATH_BYTES_MAX];
    json_t *json;

    if (!question.crew)
        return;
    question.table = question.crew->publish->table;
    if (!api_query(request, "key", key, sizeof(key))) {
        api_fail(request, 400, "'key' is missing: /v1/explain?key=123456");
        return;
    }
    if (!question.table) {
        api_fail(request, 503, "there is no table yet: the balancer is starting");
        return;
    }
    question.service = table_services(question.table) + question.crew->number;
    question.image = table_image(question.table, question.service);
    question.is_panicking = is_panicking(&question);
    count_load(&question);
    json = balance_is_keyed(question.image) ? answer_json(&question, key)
                                            : unkeyed_json(&question, key);
    free(question.in_flight);
    if (!json_object_get(json, "key")) {
        json_decref(json);
        api_fail(request, 400, "'key' is not UTF-8");
        return;
    }
    json_object_set_new(json, "service", json_string(question.crew->config->name));
    json_object_set_new(json, "epoch", json_integer((json_int_t)question.table->epoch));
    api_v1_add_tag(request);
    api_answer_json(request, 200, json);
}
