#include "api/api_v1_replicas.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_v1.h"
#include "base/memory.h"
#include "control/keeper.h"

#define CAUSE_BYTES 128

/* ---- looking ---- */

static json_t *pool_json(const struct crew *crew)
{
    return json_pack("{s:s, s:I, s:o}", "service", crew->config->name, "epoch",
                     (json_int_t)crew->publish->epoch, "replicas", api_v1_members_json(crew));
}

void api_v1_replicas_list(struct api_request *request)
{
    const struct crew *crew = api_v1_crew(request);

    if (!crew)
        return;
    usage_look(&request->api->keeper->usage);
    api_v1_add_tag(request);
    api_answer_json(request, 200, pool_json(crew));
}

void api_v1_replicas_get(struct api_request *request)
{
    struct crew *crew = api_v1_crew(request);
    const struct crew_member *member = crew ? api_v1_member(request, crew) : NULL;

    if (!member)
        return;
    usage_look(&request->api->keeper->usage);
    api_v1_add_tag(request);
    api_answer_json(request, 200, api_v1_member_json(member));
}

/* ---- changing ---- */

/* A change under way: the request's `work`. */
struct change {
    struct crew *crew;
    const char *done; /* what the names of those changed are called in the answer */
    uint16_t status;  /* once it is done */
};

static void on_done(void *owner, int result, const char *why, char (*names)[CREW_NAME_BYTES],
                    unsigned count)
{
    struct api_request *request = owner;
    struct change *change = request->work;
    json_t *body;
    json_t *list;

    if (result < 0 && result != -EINPROGRESS) {
        api_fail(request, api_v1_status_of(result), "%s", why);
        free(change);
        api_release(request);
        return;
    }
    list = json_array();
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, json_string(names[i]));
    body = pool_json(change->crew);
    json_object_set_new(body, change->done, list);
    json_object_set_new(body, "pending", json_boolean(result != 0));
    api_v1_add_tag(request);
    api_answer_json(request, result ? 202 : change->status, body);
    free(change);
    api_release(request);
}

static void ask(struct api_request *request, struct crew *crew, struct crew_wish *wish,
                const char *done)
{
    struct change *change;
    char cause[CAUSE_BYTES];

    if (!api_v1_read_tag(request, &wish->epoch))
        return;
    change = memory_allocate(sizeof(*change));
    change->crew = crew;
    change->done = done;
    change->status = wish->kind == CREW_ADD ? 201 : 200;
    request->work = change;
    snprintf(cause, sizeof(cause), "%s %.100s", head_method_text(request->method), request->path);
    wish->cause = cause;
    wish->who = request->client;
    api_hold(request);
    crew_ask(crew, wish, on_done, request);
}

static void change_pool(struct api_request *request, enum crew_kind kind, const char *done)
{
    struct crew *crew = api_v1_crew(request);
    json_t *body = crew ? api_read_json(request) : NULL;
    struct crew_wish wish = {.kind = kind};

    if (body && api_v1_read_wish(request, body, &wish))
        ask(request, crew, &wish, done);
    json_decref(body);
    free(wish.names);
}

void api_v1_replicas_add(struct api_request *request)
{
    change_pool(request, CREW_ADD, "added");
}

void api_v1_replicas_remove(struct api_request *request)
{
    change_pool(request, CREW_REMOVE, "removed");
}

static void ask_for_one(struct api_request *request, enum crew_kind kind, uint32_t weight,
                        const char *done)
{
    struct crew *crew = api_v1_crew(request);
    const struct crew_member *member = crew ? api_v1_member(request, crew) : NULL;
    char names[1][CREW_NAME_BYTES];
    struct crew_wish wish = {
        .kind = kind, .count = 1, .names = names, .name_count = 1, .weight = weight};

    if (!member)
        return;
    memcpy(names[0], member->name, sizeof(names[0]));
    ask(request, crew, &wish, done);
}

void api_v1_replicas_remove_one(struct api_request *request)
{
    ask_for_one(request, CREW_REMOVE, 0, "removed");
}

/* False after an answer of 400. */
static bool read_weight(struct api_request *request, const json_t *body, uint32_t *weight)
{
    static const char *const keys[] = {"weight", "drain", NULL};
    const json_t *given = json_object_get(body, "weight");
    const json_t *drain = json_object_get(body, "drain");

    if (!api_v1_check_keys(request, body, keys))
        return false;
    if (!given == !drain) {
        api_fail(request, 400, "either 'weight' or 'drain' is expected");
        return false;
    }
    if (drain && !json_is_boolean(drain)) {
        api_fail(request, 400, "'drain' is not true or false");
        return false;
    }
    if (drain) {
        *weight = json_is_true(drain) ? 0 : STATE_WEIGHT_CONFIGURED;
        return true;
    }
    if (!json_is_integer(given) || json_integer_value(given) < 0 ||
        json_integer_value(given) > BALANCE_WEIGHT_MAX) {
        api_fail(request, 400, "'weight' is not an integer between 0 and %d", BALANCE_WEIGHT_MAX);
        return false;
    }
    *weight = (uint32_t)json_integer_value(given);
    return true;
}

void api_v1_replicas_change(struct api_request *request)
{
    json_t *body = api_read_json(request);
    uint32_t weight;

    if (body && read_weight(request, body, &weight))
        ask_for_one(request, CREW_WEIGH, weight, "changed");
    json_decref(body);
}
