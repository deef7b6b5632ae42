#include "experiment/experiment_measure.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "experiment/experiment_chance.h"
#include "load/load_progress.h"
#include "load/load_report.h"

#define TIMEOUT_MS 10000
#define TURN_US    (100 * CLOCK_US_PER_MS)

/* ---- a run ---- */

int experiment_measure_begin(struct experiment_run *run, struct experiment_rig *rig,
                             const struct load_plan *plan, const char *path, const char *keys,
                             uint64_t seed, struct error *why)
{
    struct load_plan whole = *plan;
    int result;

    *run = (struct experiment_run){0};
    load_template_init(&run->head);
    result = load_template_begin(&run->head, "GET", view_of(path), why);
    if (result == 0)
        result = load_template_field(&run->head, VIEW("Host"), VIEW("localhost"), why);
    if (result == 0 && keys)
        result = load_template_field(&run->head, VIEW("X-Request-ID"), VIEW("{key}"), why);
    if (result == 0)
        result = load_keys_init(&run->keys, keys, seed, why);
    whole.address = rig->traffic;
    whole.head = &run->head;
    whole.keys = &run->keys;
    whole.method = METHOD_GET;
    if (!whole.timeout_ms)
        whole.timeout_ms = TIMEOUT_MS;
    if (result == 0)
        result = load_run_start(&run->run, &rig->socks, &whole, why);
    if (result < 0) {
        load_keys_finish(&run->keys);
        load_template_finish(&run->head);
    }
    return result;
}

int experiment_measure_await(struct experiment_run *run, struct experiment_rig *rig,
                             const char *title, struct error *why)
{
    struct load_progress progress;
    int result = 0;

    load_progress_start(&progress, &run->run, title);
    while (result == 0 && !load_run_is_done(&run->run)) {
        loop_turn(&rig->loop, TURN_US);
        result = experiment_rig_wait(rig, 0, why);
    }
    load_progress_finish(&progress);
    load_result_close(&run->run.result, clock_now_us());
    return result;
}

void experiment_measure_finish(struct experiment_run *run)
{
    load_run_finish(&run->run);
    load_keys_finish(&run->keys);
    load_template_finish(&run->head);
}

/* ---- what it says ---- */

static unsigned index_of(const struct experiment_placement *placement, const char *name)
{
    for (unsigned i = 0; i < placement->count; i++) {
        if (strcmp(placement->names[i], name) == 0)
            return i;
    }
    return BALANCE_NONE;
}

/* From entries of the tally to indices of the placement. */
static void translate(const struct experiment_placement *placement, const struct load_tally *tally,
                      struct experiment_owners *owners)
{
    uint16_t *index = memory_allocate((tally->count + 1) * sizeof(*index));

    for (unsigned i = 0; i < tally->count; i++)
        index[i] = (uint16_t)index_of(placement, tally->entries[i].name);
    for (uint64_t i = 0; i < owners->count; i++) {
        if (owners->of[i] != LOAD_TALLY_NONE)
            owners->of[i] = index[owners->of[i]];
    }
    free(index);
}

/* How many requests were answered by the replica that the library names for their keys. */
static uint64_t count_as_placed(const struct experiment_options *options,
                                const struct experiment_placement *placement,
                                const struct experiment_owners *owners)
{
    struct load_keys keys;
    struct error why;
    uint64_t count = 0;

    if (load_keys_init(&keys, "random", options->seed, &why) < 0)
        return 0;
    for (uint64_t i = 0; i < owners->count; i++) {
        char text[LOAD_KEYS_BYTES];
        unsigned owner = experiment_placement_owner(placement, load_keys_next(&keys, text));

        count += owner == owners->of[i];
    }
    load_keys_finish(&keys);
    return count;
}

static json_t *describe(const struct experiment_placement *placement,
                        const struct load_result *result)
{
    uint64_t counts[EXPERIMENT_REPLICAS_MAX];
    struct experiment_chance chance;
    json_t *all = load_report_json(result);
    json_t *by_name = json_object();
    json_t *expected = json_object();

    for (unsigned i = 0; i < placement->count; i++) {
        counts[i] = load_tally_of(&result->replicas, placement->names[i]);
        json_object_set_new(by_name, placement->names[i], json_integer((json_int_t)counts[i]));
        json_object_set_new(expected, placement->names[i],
                            json_real(placement->shares[i] * (double)result->answers));
    }
    chance = experiment_chance_of(counts, placement->shares, placement->count);
    json_object_set_new(all, "counts", by_name);
    json_object_set_new(all, "expected", expected);
    json_object_set_new(all, "average", json_real(chance.average));
    json_object_set_new(all, "cv", json_real(chance.cv));
    json_object_set_new(all, "peak_to_average", json_real(chance.peak_to_average));
    /* Who looks at the load or takes turns leaves nothing to chance. */
    json_object_set_new(all, "chi2", placement->is_keyed ? json_real(chance.chi2) : json_null());
    json_object_set_new(all, "chi2_p",
                        placement->is_keyed ? json_real(chance.chi2_p) : json_null());
    return all;
}

int experiment_measure(struct experiment_rig *rig, const struct experiment_options *options,
                       const struct experiment_placement *placement, const char *title,
                       struct experiment_owners *owners, json_t **result, struct error *why)
{
    struct experiment_owners own = {.count = options->requests};
    struct load_plan plan = {.connections = options->connections, .requests = options->requests};
    struct experiment_run run;
    int status;

    own.of = memory_allocate(options->requests * sizeof(*own.of));
    memset(own.of, 0xff, options->requests * sizeof(*own.of));
    plan.owners = own.of;
    status = experiment_measure_begin(&run, rig, &plan, "/home", "random", options->seed, why);
    if (status == 0) {
        status = experiment_measure_await(&run, rig, title, why);
        if (status == 0) {
            translate(placement, &run.run.result.replicas, &own);
            *result = describe(placement, &run.run.result);
            json_object_set_new(*result, "as_placed",
                                placement->is_keyed ? json_integer((json_int_t)count_as_placed(
                                                          options, placement, &own))
                                                    : json_null());
        }
        experiment_measure_finish(&run);
    }
    if (owners && status == 0)
        *owners = own;
    else
        free(own.of);
    return status;
}
