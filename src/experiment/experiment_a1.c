#include "experiment/experiment_a1.h"

#include "experiment/experiment_call.h"
#include "experiment/experiment_measure.h"
#include "experiment/experiment_text.h"

#define REPLICAS 3

/* What the workers counted, beside what the answers said. */
static int add_stats(struct experiment_rig *rig, json_t *result, struct error *why)
{
    struct experiment_answer answer;
    json_t *counts = json_object();
    json_t *replica;
    size_t i;
    int status = experiment_call(rig, EXPERIMENT_CONTROL, "GET", "/stats", NULL, &answer, why);

    if (status == 0) {
        json_array_foreach(json_object_get(answer.json, "replicas"), i, replica)
        {
            json_object_set(counts, json_string_value(json_object_get(replica, "name")),
                            json_object_get(replica, "requests"));
        }
        experiment_call_finish(&answer);
    }
    json_object_set_new(result, "counts_of_workers", counts);
    return status;
}

static int measure(struct experiment_rig *rig, const struct experiment_options *options,
                   const struct experiment_placement *placement, json_t **result, struct error *why)
{
    int status = experiment_rig_start(rig, &options->scheme, REPLICAS, NULL, why);

    if (status < 0)
        return status;
    status = experiment_measure(rig, options, placement, "a1", NULL, result, why);
    if (status == 0)
        status = add_stats(rig, *result, why);
    experiment_rig_stop(rig);
    return status;
}

int experiment_a1(struct experiment_rig *rig, const struct experiment_options *options,
                  json_t **result, struct error *why)
{
    struct experiment_placement placement;
    int status = experiment_placement_build(&placement, &options->scheme, REPLICAS, why);

    if (status < 0)
        return status;
    *result = NULL;
    status = measure(rig, options, &placement, result, why);
    if (status == 0) {
        json_object_set_new(*result, "replicas", json_integer(REPLICAS));
        json_object_set_new(*result, "connections", json_integer((json_int_t)options->connections));
        json_object_set_new(*result, "scheme", json_string(balance_scheme(placement.image)));
    } else {
        json_decref(*result);
        *result = NULL;
    }
    experiment_placement_finish(&placement);
    return status;
}

void experiment_a1_print(const json_t *result)
{
    printf("A-1: %.0f requests, %.0f lost, %.2f s, %.0f requests/s, scheme %s\n",
           experiment_text_number(result, "requests"), experiment_text_number(result, "lost"),
           experiment_text_number(result, "duration_s"),
           experiment_text_number(result, "requests_per_s"),
           json_string_value(json_object_get(result, "scheme")));
    experiment_text_bars(json_object_get(result, "counts"), json_object_get(result, "expected"));
    printf("  coefficient of variation %.2f %%, peak/average %.3f",
           100 * experiment_text_number(result, "cv"),
           experiment_text_number(result, "peak_to_average"));
    if (json_is_real(json_object_get(result, "chi2_p")))
        printf(", chi-square p %.4f", experiment_text_number(result, "chi2_p"));
    putchar('\n');
    printf("  latency ms: p50 %.2f  p90 %.2f  p99 %.2f  max %.2f\n",
           experiment_text_number(result, "p50_ms"), experiment_text_number(result, "p90_ms"),
           experiment_text_number(result, "p99_ms"), experiment_text_number(result, "max_ms"));
    if (json_is_integer(json_object_get(result, "as_placed")))
        printf("  %.0f of %.0f were answered by the replica the library names for their key\n",
               experiment_text_number(result, "as_placed"),
               experiment_text_number(result, "requests"));
}
