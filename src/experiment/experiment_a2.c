#include "experiment/experiment_a2.h"

#include <stdlib.h>

#include "base/clock.h"
#include "experiment/experiment_measure.h"
#include "experiment/experiment_pool.h"
#include "experiment/experiment_text.h"

/* One number of replicas, and what the next one is compared with. */
struct step {
    struct experiment_placement placement;
    struct experiment_owners owners;
    json_t *result;
};

static void finish_step(struct step *step)
{
    experiment_placement_finish(&step->placement);
    free(step->owners.of);
    *step = (struct step){0};
}

/* Of the requests, which have the same keys at each step: those that another replica answered. */
static double moved_requests(const struct step *before, const struct step *after)
{
    uint64_t both = 0;
    uint64_t moved = 0;

    for (uint64_t i = 0; i < after->owners.count; i++) {
        if (before->owners.of[i] == LOAD_TALLY_NONE || after->owners.of[i] == LOAD_TALLY_NONE)
            continue;
        both++;
        moved += before->owners.of[i] != after->owners.of[i];
    }
    return both ? (double)moved / (double)both : 0;
}

static void compare(const struct step *before, struct step *after)
{
    double excess;
    double moved;

    if (!after->placement.is_keyed)
        return;
    moved = experiment_placement_moved(&before->placement, &after->placement, &excess);
    json_object_set_new(after->result, "moved", json_real(moved));
    json_object_set_new(after->result, "excess", json_real(excess));
    json_object_set_new(after->result, "minimum",
                        json_real(after->placement.shares[after->placement.count - 1]));
    json_object_set_new(after->result, "moved_of_requests",
                        json_real(moved_requests(before, after)));
}

static int add_newcomer(struct experiment_rig *rig, struct step *step, double *add_ms,
                        struct error *why)
{
    uint64_t took_us = 0;
    int status =
        experiment_pool_add(rig, step->placement.names[step->placement.count - 1], &took_us, why);

    *add_ms = (double)took_us / (double)CLOCK_US_PER_MS;
    return status;
}

/* `before` is empty at the first step. */
static int take_step(struct experiment_rig *rig, const struct experiment_options *options,
                     unsigned replicas, const char *title, const struct step *before,
                     struct step *step, struct error *why)
{
    double add_ms = 0;
    int status = experiment_placement_build(&step->placement, &options->scheme, replicas, why);

    if (status == 0 && before->result)
        status = add_newcomer(rig, step, &add_ms, why);
    if (status == 0)
        status = experiment_measure(rig, options, &step->placement, title, &step->owners,
                                    &step->result, why);
    if (status < 0)
        return status;
    json_object_set_new(step->result, "replicas", json_integer((json_int_t)replicas));
    /* Only the first experiment shows the shape of the latencies. */
    json_object_del(step->result, "histogram_us");
    if (!before->result)
        return 0;
    json_object_set_new(step->result, "add_ms", json_real(add_ms));
    compare(before, step);
    return 0;
}

static int take_steps(struct experiment_rig *rig, const struct experiment_options *options,
                      unsigned last, const char *title, json_t *steps, struct error *why)
{
    struct step before = {0};
    int status = 0;

    for (unsigned replicas = EXPERIMENT_A2_FIRST; status == 0 && replicas <= last; replicas++) {
        struct step step = {0};

        status = take_step(rig, options, replicas, title, &before, &step, why);
        finish_step(&before);
        before = step;
        if (status == 0)
            json_array_append_new(steps, step.result);
    }
    finish_step(&before);
    return status;
}

int experiment_a2_steps(struct experiment_rig *rig, const struct experiment_options *options,
                        unsigned last, const char *title, json_t **result, struct error *why)
{
    json_t *steps;
    int status = experiment_rig_start(rig, &options->scheme, EXPERIMENT_A2_FIRST, NULL, why);

    if (status < 0)
        return status;
    steps = json_array();
    status = take_steps(rig, options, last, title, steps, why);
    experiment_rig_stop(rig);
    if (status < 0) {
        json_decref(steps);
        return status;
    }
    *result = json_pack("{s:s, s:o}", "scheme",
                        options->scheme.scheme ? options->scheme.scheme : balance_scheme_name(0),
                        "steps", steps);
    return 0;
}

int experiment_a2(struct experiment_rig *rig, const struct experiment_options *options,
                  json_t **result, struct error *why)
{
    return experiment_a2_steps(rig, options, EXPERIMENT_A2_LAST, "a2", result, why);
}

static void print_percent(const json_t *step, const char *name)
{
    const json_t *value = json_object_get(step, name);

    if (value)
        printf("  %7.2f %%", 100 * json_number_value(value));
    else
        printf("  %9s", "-");
}

void experiment_a2_print(const json_t *result)
{
    const json_t *steps = json_object_get(result, "steps");
    const json_t *step;
    size_t i;

    printf("A-2: %.0f requests at each step, scheme %s\n",
           experiment_text_number(json_array_get(steps, 0), "requests"),
           json_string_value(json_object_get(result, "scheme")));
    printf("  %8s %9s %9s %9s %11s %6s %9s  %9s  %9s  %9s\n", "replicas", "average", "cv",
           "peak/avg", "requests/s", "lost", "p99 ms", "moved", "minimum", "excess");
    json_array_foreach(steps, i, step)
    {
        printf("  %8.0f %9.1f %7.2f %% %9.3f %11.0f %6.0f %9.2f",
               experiment_text_number(step, "replicas"), experiment_text_number(step, "average"),
               100 * experiment_text_number(step, "cv"),
               experiment_text_number(step, "peak_to_average"),
               experiment_text_number(step, "requests_per_s"), experiment_text_number(step, "lost"),
               experiment_text_number(step, "p99_ms"));
        print_percent(step, "moved");
        print_percent(step, "minimum");
        print_percent(step, "excess");
        putchar('\n');
    }
}
