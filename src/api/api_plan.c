#include "api/api_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_classic.h"
#include "api/api_v1.h"
#include "balance/balance_builder.h"
#include "base/memory.h"
#include "control/keeper.h"

/* Slots that keep the cap from moving much more than it must (docs/hashing.md). */
#define MANY_REPLICAS      100
#define MANY_SLOTS         (1u << 18)
#define VERY_MANY_REPLICAS 300
#define VERY_MANY_SLOTS    (1u << 20)

/* What is asked, and the pool as it would be. */
struct draft {
    struct crew *crew;
    struct crew_wish add;
    struct crew_wish removal;
    struct balance_member *members;
    unsigned count;
};

static void finish_draft(struct draft *draft)
{
    free(draft->add.names);
    free(draft->removal.names);
    free(draft->members);
}

/* ---- what is asked ---- */

/* One half of the body. False after an answer of 400. */
static bool read_part(struct api_request *request, const json_t *body, const char *key,
                      struct crew_wish *wish)
{
    const json_t *part = json_object_get(body, key);
    char(*names)[CREW_NAME_BYTES];

    if (!part)
        return true;
    if (!json_is_object(part)) {
        api_fail(request, 400, "'%s' is not an object", key);
        return false;
    }
    if (!api_v1_read_wish(request, part, wish))
        return false;
    /* Room for those that are to be chosen here. */
    names = memory_resize(wish->names, wish->count * sizeof(*names));
    wish->names = names;
    return true;
}

static bool has_name(const struct crew_wish *wish, const char *name)
{
    for (unsigned i = 0; i < wish->name_count; i++) {
        if (strcmp(wish->names[i], name) == 0)
            return true;
    }
    return false;
}

/* False after an answer of 404 or 409. */
static bool check_names(struct api_request *request, const struct draft *draft)
{
    const struct crew_wish *removal = &draft->removal;
    const struct crew_wish *add = &draft->add;

    for (unsigned i = 0; i < removal->name_count; i++) {
        if (crew_find(draft->crew, removal->names[i]))
            continue;
        api_fail(request, 404, "there is no replica '%s'", removal->names[i]);
        return false;
    }
    for (unsigned i = 0; i < add->name_count; i++) {
        if (!crew_find(draft->crew, add->names[i]) || has_name(removal, add->names[i]))
            continue;
        api_fail(request, 409, "there is a replica '%s' already", add->names[i]);
        return false;
    }
    if (removal->count > draft->crew->count) {
        api_fail(request, 400, "there are only %u replicas to remove", draft->crew->count);
        return false;
    }
    if (draft->crew->count - removal->count + add->count > draft->crew->whole->limits.replicas) {
        api_fail(request, 409, "that would exceed limits.replicas, which is %u",
                 draft->crew->whole->limits.replicas);
        return false;
    }
    return true;
}

/* Those that nobody named: the newest ones go, "new-1" ... come. */
static void choose_others(struct draft *draft)
{
    struct crew_wish *removal = &draft->removal;
    struct crew_wish *add = &draft->add;

    for (struct list *at = draft->crew->members.previous;
         at != &draft->crew->members && removal->name_count < removal->count; at = at->previous) {
        const char *name = CONTAINER_OF(at, struct crew_member, list)->name;

        if (!has_name(removal, name))
            memcpy(removal->names[removal->name_count++], name, CREW_NAME_BYTES);
    }
    for (unsigned number = 1; add->name_count < add->count; number++) {
        char name[CREW_NAME_BYTES];

        snprintf(name, sizeof(name), "new-%u", number);
        if (!crew_find(draft->crew, name) && !has_name(add, name))
            memcpy(add->names[add->name_count++], name, CREW_NAME_BYTES);
    }
}

/* ---- the pool as it would be ---- */

/* The smallest id from `id` on that none of the first `count` members has. */
static uint32_t free_id(const struct draft *draft, unsigned count, uint32_t id)
{
    for (unsigned i = 0; i < count; i++) {
        if (draft->members[i].id != id)
            continue;
        id++;
        i = (unsigned)-1; /* from the beginning: they are in no order */
    }
    return id;
}

static void make_members(struct draft *draft)
{
    const struct crew *crew = draft->crew;
    struct balance_member *members =
        memory_allocate((crew->count + draft->add.count + 1) * sizeof(*members));
    unsigned stayed;
    uint32_t id = 0;

    draft->members = members;
    LIST_FOR_EACH (at, &crew->members) {
        const struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);

        if (!has_name(&draft->removal, member->name))
            members[draft->count++] =
                (struct balance_member){member->name, member->weight, member->id};
    }
    stayed = draft->count;
    for (unsigned i = 0; i < draft->add.count; i++) {
        const char *name = draft->add.names[i];

        /* Those before it have smaller ones. */
        id = free_id(draft, stayed, id + 1);
        members[draft->count++] =
            (struct balance_member){name, crew_configured_weight(crew, name), id};
    }
}

static struct balance_member *find_member(const struct draft *draft, const char *name)
{
    for (unsigned i = 0; i < draft->count; i++) {
        if (strcmp(draft->members[i].name, name) == 0)
            return &draft->members[i];
    }
    return NULL;
}

/* False after an answer of 400 or 404. */
static bool set_weights(struct api_request *request, const json_t *body, struct draft *draft)
{
    json_t *weights = json_object_get(body, "weights");
    const char *name;
    json_t *weight;

    if (weights && !json_is_object(weights)) {
        api_fail(request, 400, "'weights' is not an object");
        return false;
    }
    json_object_foreach(weights, name, weight)
    {
        struct balance_member *member = find_member(draft, name);

        if (!member) {
            api_fail(request, 404, "there is no replica '%.100s'", name);
            return false;
        }
        if (!json_is_integer(weight) || json_integer_value(weight) < 0 ||
            json_integer_value(weight) > BALANCE_WEIGHT_MAX) {
            api_fail(request, 400, "the weight of '%s' is not an integer between 0 and %d", name,
                     BALANCE_WEIGHT_MAX);
            return false;
        }
        member->weight = (uint32_t)json_integer_value(weight);
    }
    return true;
}

/* ---- the answer ---- */

static json_t *share_name(const struct balance_plan *plan, unsigned index)
{
    return index < plan->share_count ? json_string(plan->shares[index].name) : json_null();
}

static json_t *shares_json(const struct balance_plan *plan)
{
    double units = plan->units ? (double)plan->units : 1;
    json_t *list = json_array();

    for (size_t i = 0; i < plan->share_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:f, s:f}", "name", plan->shares[i].name,
                                              "before", (double)plan->shares[i].before / units,
                                              "after", (double)plan->shares[i].after / units));
    return list;
}

static json_t *moves_json(const struct balance_plan *plan)
{
    json_t *list = json_array();

    for (size_t i = 0; i < plan->move_count; i++) {
        const struct balance_move *move = &plan->moves[i];

        json_array_append_new(
            list, json_pack("{s:o, s:o, s:I}", "from", share_name(plan, move->from), "to",
                            share_name(plan, move->to), "slots", (json_int_t)move->units));
    }
    return list;
}

static json_t *names_json(const struct crew_wish *wish)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < wish->name_count; i++)
        json_array_append_new(list, json_string(wish->names[i]));
    return list;
}

static json_t *advice_json(const struct draft *draft)
{
    const struct config_balance *balance = &draft->crew->config->balance;
    unsigned wanted = draft->count > VERY_MANY_REPLICAS ? VERY_MANY_SLOTS
                      : draft->count > MANY_REPLICAS    ? MANY_SLOTS
                                                        : 0;
    char text[ERROR_TEXT_BYTES];

    if (balance->scheme != CONFIG_SCHEME_SLOT_HRW || balance->slots >= wanted)
        return json_null();
    snprintf(text, sizeof(text),
             "with %u replicas balance.slots: %u moves less than %u slots do; the number of slots "
             "is fixed at the start",
             draft->count, wanted, balance->slots);
    return json_string(text);
}

static json_t *plan_json(const struct draft *draft, const struct balance_plan *plan)
{
    json_t *json = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "service", draft->crew->config->name, "epoch",
        (json_int_t)draft->crew->publish->epoch, "moved", (json_int_t)plan->moved, "minimum",
        (json_int_t)plan->minimum, "excess", (json_int_t)plan->excess, "slots",
        (json_int_t)plan->units, "is_estimate", (int)plan->is_sampled);

    json_object_set_new(json, "add", names_json(&draft->add));
    json_object_set_new(json, "remove", names_json(&draft->removal));
    json_object_set_new(json, "shares", shares_json(plan));
    json_object_set_new(json, "moves", moves_json(plan));
    json_object_set_new(json, "advice", advice_json(draft));
    return json;
}

static void price(struct api_request *request, const struct draft *draft)
{
    const struct balance_image *before;
    struct balance_plan plan = {0};
    struct error why;
    int result = crew_placement(draft->crew, &before, &why);

    if (result == 0)
        result =
            balance_builder_plan(draft->crew->builder, draft->members, draft->count, &plan, &why);
    if (result < 0) {
        api_fail(request, result == -ENOSPC || result == -E2BIG ? 409 : 400, "%s", why.text);
    } else {
        api_v1_add_tag(request);
        api_answer_json(request, 200, plan_json(draft, &plan));
    }
    balance_plan_finish(&plan);
}

/* The service of the body, else as for all others. */
static struct crew *find_crew(struct api_request *request, const json_t *body)
{
    const json_t *service = json_object_get(body, "service");
    struct keeper *keeper = request->api->keeper;
    const char *name = json_string_value(service);

    if (!service)
        return api_v1_crew(request);
    for (unsigned i = 0; name && i < keeper->config->service_count; i++) {
        if (strcmp(keeper->crews[i].config->name, name) == 0)
            return &keeper->crews[i];
    }
    if (name)
        api_fail(request, 404, "there is no service '%.100s'", name);
    else
        api_fail(request, 400, "'service' is not a string");
    return NULL;
}

static void make_plan(struct api_request *request, const json_t *body)
{
    static const char *const keys[] = {"service", "add", "remove", "weights", NULL};
    struct draft draft = {0};

    if (!api_v1_check_keys(request, body, keys))
        return;
    draft.crew = find_crew(request, body);
    if (draft.crew && read_part(request, body, "add", &draft.add) &&
        read_part(request, body, "remove", &draft.removal) && check_names(request, &draft)) {
        choose_others(&draft);
        make_members(&draft);
        if (set_weights(request, body, &draft))
            price(request, &draft);
    }
    finish_draft(&draft);
}

void api_plan(struct api_request *request)
{
    json_t *body = api_read_json(request);

    if (!body)
        return;
    make_plan(request, body);
    json_decref(body);
}
