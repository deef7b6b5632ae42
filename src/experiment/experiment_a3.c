#include "experiment/experiment_a3.h"

#include <stdlib.h>

#include "experiment/experiment_a3_calls.h"
#include "experiment/experiment_a3_kills.h"
#include "experiment/experiment_measure.h"
#include "experiment/experiment_pool.h"
#include "experiment/experiment_text.h"

#define REPLICAS 3

/* Who answers which key, and the digest of it. */
struct picture {
    struct experiment_owners owners;
    char digest[BALANCE_DIGEST_TEXT_BYTES];
};

static int look(struct experiment_rig *rig, const struct experiment_options *options,
                const struct experiment_placement *placement, struct picture *picture,
                struct error *why)
{
    json_t *result = NULL;
    int status = experiment_pool_digest(rig, picture->digest, why);

    if (status == 0)
        status = experiment_measure(rig, options, placement, "a3", &picture->owners, &result, why);
    json_decref(result);
    return status;
}

/* After all that was killed and healed: how many keys are answered by another replica. */
static json_t *compare(const struct picture *before, const struct picture *after)
{
    uint64_t moved = 0;

    for (uint64_t i = 0; i < before->owners.count; i++)
        moved += before->owners.of[i] != after->owners.of[i];
    return json_pack("{s:I, s:I, s:b}", "keys", (json_int_t)before->owners.count, "moved",
                     (json_int_t)moved, "digest_is_the_same",
                     strcmp(before->digest, after->digest) == 0);
}

static int run_kills(struct experiment_rig *rig, const struct experiment_options *options,
                     const struct experiment_placement *placement, json_t *result,
                     struct error *why)
{
    struct picture before = {0};
    struct picture after = {0};
    json_t *kills = NULL;
    int status = look(rig, options, placement, &before, why);

    if (status == 0)
        status = experiment_a3_kills(rig, options, &kills, why);
    if (status == 0) {
        json_object_set_new(result, "kills", kills);
        status = look(rig, options, placement, &after, why);
    }
    if (status == 0)
        json_object_set_new(result, "placement", compare(&before, &after));
    free(before.owners.of);
    free(after.owners.of);
    return status;
}

static int run_all(struct experiment_rig *rig, const struct experiment_options *options,
                   json_t *result, struct error *why)
{
    struct experiment_placement placement;
    json_t *calls = NULL;
    int status = experiment_placement_build(&placement, &options->scheme, REPLICAS, why);

    if (status < 0)
        return status;
    status = experiment_rig_start(rig, &options->scheme, REPLICAS, NULL, why);
    if (status == 0) {
        status = experiment_a3_calls(rig, &calls, why);
        if (status == 0) {
            json_object_set_new(result, "calls", calls);
            status = run_kills(rig, options, &placement, result, why);
        }
        experiment_rig_stop(rig);
    }
    experiment_placement_finish(&placement);
    return status;
}

int experiment_a3(struct experiment_rig *rig, const struct experiment_options *options,
                  json_t **result, struct error *why)
{
    json_t *all = json_object();
    int status = run_all(rig, options, all, why);

    if (status < 0)
        json_decref(all);
    else
        *result = all;
    return status;
}

static void print_time(const json_t *event, const char *name, const char *words)
{
    const json_t *time = json_object_get(event, name);

    if (time)
        printf("  %s %.1f ms", words, json_number_value(time));
}

static void print_calls(const json_t *calls)
{
    const json_t *call;
    size_t wrong = 0;
    size_t i;

    json_array_foreach(calls, i, call)
    {
        const char *body = json_string_value(json_object_get(call, "body"));

        if (json_is_true(json_object_get(call, "is_right")))
            continue;
        wrong++;
        printf("  WRONG %s %s: %.0f instead of %.0f: %s\n",
               json_string_value(json_object_get(call, "call")), body ? body : "",
               experiment_text_number(call, "status"), experiment_text_number(call, "expected"),
               json_string_value(json_object_get(call, "answer")));
    }
    printf("  %zu of %zu calls and errors answered as the assignment says\n",
           json_array_size(calls) - wrong, json_array_size(calls));
}

void experiment_a3_print(const json_t *result)
{
    const json_t *kills = json_object_get(result, "kills");
    const json_t *placement = json_object_get(result, "placement");
    const json_t *event;
    size_t i;

    puts("A-3: every endpoint and error; then failures under load");
    print_calls(json_object_get(result, "calls"));
    json_array_foreach(json_object_get(kills, "events"), i, event)
    {
        printf("  %7.2f s  %-8s %-10s", experiment_text_number(event, "at_ms") / 1000,
               json_string_value(json_object_get(event, "what")),
               json_string_value(json_object_get(event, "replica")));
        print_time(event, "noticed_ms", "noticed after");
        print_time(event, "healed_ms", "up again after");
        print_time(event, "took_ms", "the call took");
        putchar('\n');
    }
    printf("  %.0f requests at %.0f a second: %.0f failed; p50 %.2f ms, p99 %.2f ms, max %.1f ms\n",
           experiment_text_number(kills, "requests"), experiment_text_number(kills, "rate"),
           experiment_text_number(kills, "lost"), experiment_text_number(kills, "p50_ms"),
           experiment_text_number(kills, "p99_ms"), experiment_text_number(kills, "max_ms"));
    printf("  afterwards %.0f of %.0f keys are answered by another replica than before; the digest "
           "of the placement is %s\n",
           experiment_text_number(placement, "moved"), experiment_text_number(placement, "keys"),
           json_is_true(json_object_get(placement, "digest_is_the_same")) ? "the same" : "another");
}
