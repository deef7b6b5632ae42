#include "ctl/ctl_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance/balance.h"
#include "base/word.h"
#include "ctl/ctl_ask.h"
#include "ctl/ctl_table.h"

#define PERCENT 100.0

static int usage(const char *sentence)
{
    fprintf(stderr, "roost ctl: %s; see roost ctl --help\n", sentence);
    return WORD_USAGE;
}

/* {"count": n, "names": [...]} of the names from `first` on. */
static json_t *wish_json(const struct ctl_options *options, unsigned first)
{
    json_t *names = json_array();
    json_t *body = json_object();

    for (unsigned i = first; i < options->name_count; i++)
        json_array_append_new(names, json_string(options->names[i]));
    json_object_set_new(body, "names", names);
    if (options->count)
        json_object_set_new(body, "count", json_integer(options->count));
    return body;
}

static unsigned long size_of(const json_t *answer, const char *key)
{
    return (unsigned long)json_array_size(json_object_get(answer, key));
}

/* "added S4, S5: 5 replicas, epoch 7" */
static int tell_changed(const struct ctl *ctl, json_t *answer, const char *key)
{
    json_t *name;
    size_t i;

    if (!answer)
        return WORD_FAILED;
    if (!ctl->options->is_json) {
        printf("%s ", key);
        json_array_foreach(json_object_get(answer, key), i, name)
            printf("%s%s", i ? ", " : "", json_string_value(name));
        printf(": %lu replicas, epoch %" JSON_INTEGER_FORMAT "%s\n", size_of(answer, "replicas"),
               json_integer_value(json_object_get(answer, "epoch")),
               json_is_true(json_object_get(answer, "pending"))
                   ? "; not every worker has acknowledged it yet"
                   : "");
    }
    json_decref(answer);
    return WORD_DONE;
}

int ctl_pool_add(struct ctl *ctl)
{
    char target[CTL_CLIENT_TARGET_BYTES_MAX];

    ctl_ask_path(ctl, NULL, "", target);
    return tell_changed(ctl, ctl_ask(ctl, METHOD_POST, target, wish_json(ctl->options, 0)),
                        "added");
}

int ctl_pool_remove(struct ctl *ctl)
{
    char target[CTL_CLIENT_TARGET_BYTES_MAX];

    if (ctl->options->name_count == 0 && ctl->options->count == 0)
        return usage("rm wants names, or -n N for any");
    ctl_ask_path(ctl, NULL, "", target);
    return tell_changed(ctl, ctl_ask(ctl, METHOD_DELETE, target, wish_json(ctl->options, 0)),
                        "removed");
}

static int change_one(struct ctl *ctl, const char *name, json_t *body)
{
    char target[CTL_CLIENT_TARGET_BYTES_MAX];

    ctl_ask_path(ctl, name, "", target);
    return tell_changed(ctl, ctl_ask(ctl, METHOD_PATCH, target, body), "changed");
}

int ctl_pool_drain(struct ctl *ctl)
{
    if (ctl->options->name_count == 0)
        return usage("drain wants the names of replicas");
    for (unsigned i = 0; i < ctl->options->name_count; i++) {
        json_t *body = json_pack("{s:b}", "drain", !ctl->options->undoes);
        int status = change_one(ctl, ctl->options->names[i], body);

        if (status != WORD_DONE)
            return status;
    }
    return WORD_DONE;
}

/* -1 where it is none. */
static long read_weight(const char *text)
{
    char *end;
    long weight = strtol(text, &end, 10);

    return *text && *end == '\0' && weight >= 0 && weight <= BALANCE_WEIGHT_MAX ? weight : -1;
}

int ctl_pool_weight(struct ctl *ctl)
{
    long weight;

    if (ctl->options->name_count != 2)
        return usage("weight wants a replica's name and a number");
    weight = read_weight(ctl->options->names[1]);
    if (weight < 0)
        return usage("a weight is a number from 0 to 65535");
    return change_one(ctl, ctl->options->names[0],
                      json_pack("{s:I}", "weight", (json_int_t)weight));
}

/* "changed workers, listen: generation 2, 4 workers, 2 addresses, epoch 9" */
static void print_reload(const json_t *answer)
{
    const json_t *text;
    size_t i;

    json_array_foreach(json_object_get(answer, "warnings"), i, text)
        fprintf(stderr, "roost ctl: warning: %s\n", json_string_value(text));
    printf("changed ");
    json_array_foreach(json_object_get(answer, "changed"), i, text)
        printf("%s%s", i ? ", " : "", json_string_value(text));
    printf("%s: generation %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
           " workers, %lu addresses, epoch %" JSON_INTEGER_FORMAT "\n",
           size_of(answer, "changed") ? "" : "nothing",
           json_integer_value(json_object_get(answer, "generation")),
           json_integer_value(json_object_get(answer, "workers")), size_of(answer, "listeners"),
           json_integer_value(json_object_get(answer, "epoch")));
}

int ctl_pool_reload(struct ctl *ctl)
{
    json_t *answer = ctl_ask(ctl, METHOD_POST, "/v1/reload", NULL);

    if (!answer)
        return WORD_FAILED;
    if (!ctl->options->is_json)
        print_reload(answer);
    json_decref(answer);
    return WORD_DONE;
}

/* ---- plans ---- */

/* "add [-n N] [NAME...]" and so on as the body of a plan; NULL after usage(). */
static json_t *plan_body(const struct ctl_options *options)
{
    const char *what = options->name_count ? options->names[0] : "";
    json_t *weights = json_object();
    json_t *body;

    if (strcmp(what, "weight") == 0 && options->name_count == 3 &&
        read_weight(options->names[2]) >= 0)
        json_object_set_new(weights, options->names[1],
                            json_integer(read_weight(options->names[2])));
    for (unsigned i = 1; strcmp(what, "drain") == 0 && i < options->name_count; i++)
        json_object_set_new(weights, options->names[i], json_integer(0));
    if (json_object_size(weights))
        body = json_pack("{s:O}", "weights", weights);
    else if (strcmp(what, "add") == 0)
        body = json_pack("{s:o}", "add", wish_json(options, 1));
    else if (strcmp(what, "rm") == 0)
        body = json_pack("{s:o}", "remove", wish_json(options, 1));
    else
        body = NULL;
    json_decref(weights);
    if (body && options->service)
        json_object_set_new(body, "service", json_string(options->service));
    return body;
}

static double percent_of(const json_t *plan, const char *key)
{
    double slots = (double)json_integer_value(json_object_get(plan, "slots"));

    return slots > 0 ? PERCENT * json_integer_value(json_object_get(plan, key)) / slots : 0;
}

static void print_shares(const json_t *plan)
{
    static const char *const names[] = {"REPLICA", ">BEFORE", ">AFTER", NULL};
    struct ctl_table table;
    json_t *share;
    size_t i;

    ctl_table_init(&table, names);
    json_array_foreach(json_object_get(plan, "shares"), i, share)
    {
        ctl_table_add_json(&table, json_object_get(share, "name"));
        ctl_table_add(&table, "%.2f %%",
                      PERCENT * json_real_value(json_object_get(share, "before")));
        ctl_table_add(&table, "%.2f %%",
                      PERCENT * json_real_value(json_object_get(share, "after")));
    }
    ctl_table_print(&table, stdout);
    ctl_table_finish(&table);
}

static void print_moves(const json_t *plan)
{
    static const char *const names[] = {"FROM", "TO", ">SLOTS", NULL};
    struct ctl_table table;
    json_t *move;
    size_t i;

    ctl_table_init(&table, names);
    json_array_foreach(json_object_get(plan, "moves"), i, move)
    {
        ctl_table_add_json(&table, json_object_get(move, "from"));
        ctl_table_add_json(&table, json_object_get(move, "to"));
        ctl_table_add_json(&table, json_object_get(move, "slots"));
    }
    if (table.row_count) {
        puts("");
        ctl_table_print(&table, stdout);
    }
    ctl_table_finish(&table);
}

static void print_plan(const json_t *plan)
{
    const json_t *advice = json_object_get(plan, "advice");

    printf("%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " slots would move (%.2f %%): "
           "%" JSON_INTEGER_FORMAT " had to, %" JSON_INTEGER_FORMAT " more%s\n\n",
           json_integer_value(json_object_get(plan, "moved")),
           json_integer_value(json_object_get(plan, "slots")), percent_of(plan, "moved"),
           json_integer_value(json_object_get(plan, "minimum")),
           json_integer_value(json_object_get(plan, "excess")),
           json_is_true(json_object_get(plan, "is_estimate")) ? " (an estimate)" : "");
    print_shares(plan);
    print_moves(plan);
    if (json_is_string(advice))
        printf("\n%s\n", json_string_value(advice));
    printf("\nOnly while this holds: --if-epoch %" JSON_INTEGER_FORMAT "\n",
           json_integer_value(json_object_get(plan, "epoch")));
}

int ctl_pool_plan(struct ctl *ctl)
{
    json_t *body = plan_body(ctl->options);
    json_t *plan;

    if (!body)
        return usage("plan wants add [-n N] [NAME...], rm [-n N] [NAME...], drain NAME... or "
                     "weight NAME W");
    plan = ctl_ask(ctl, METHOD_POST, "/v1/plan", body);
    if (!plan)
        return WORD_FAILED;
    if (!ctl->options->is_json)
        print_plan(plan);
    json_decref(plan);
    return WORD_DONE;
}
