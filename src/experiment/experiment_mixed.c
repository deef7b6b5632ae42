#include "experiment/experiment_mixed.h"

#include <signal.h>

#include "base/clock.h"
#include "experiment/experiment_harm.h"
#include "experiment/experiment_measure.h"
#include "experiment/experiment_text.h"
#include "load/load_progress.h"
#include "load/load_report.h"

#define REPLICAS        5
#define MOMENT_US       (50 * CLOCK_US_PER_MS)
#define CONNECTIONS     1000
#define TIMEOUT_MS      15000
#define PHASE_US        (2 * CLOCK_US_PER_S)
#define PHASE_QUICK_US  (300 * CLOCK_US_PER_MS)
#define GAP_US          (700 * CLOCK_US_PER_MS) /* between two failures */
#define GAP_QUICK_US    (150 * CLOCK_US_PER_MS)
#define STUTTER_STOP_US (40 * CLOCK_US_PER_MS) /* it stands still so long … */
#define STUTTER_GO_US   (60 * CLOCK_US_PER_MS) /* … and runs so long */
#define KEYS            "zipf:1.1:100000"
#define STUTTERER       "Server 3"
#define EVENTS          (2 + REPLICAS) /* in all */
#define TITLE_BYTES     64

/* Requests of one kind, at a fixed rate. */
static const struct kind {
    const char *name;
    const char *path;
    double rate;
} kinds[] = {
    {"a page, 56 B", "/home", 600},
    {"an object, 10 KiB", "/bytes/10240", 150},
    {"a picture, 200 KiB", "/bytes/204800", 25},
    {"a stream of 20 pieces", "/stream/20", 20},
    {"a slow answer, 50 ms", "/slow/50", 40},
};

struct part {
    struct experiment_run run;
    bool is_running;
};

struct mixed {
    struct experiment_rig *rig;
    const struct experiment_options *options;
    struct part parts[ARRAY_SIZE(kinds)];
    struct load_progress progress; /* of the pages */
    char title[TITLE_BYTES];
    uint64_t start_us;
    json_t *events;
};

static json_t *add_event(struct mixed *mixed, const char *what, const char *replica)
{
    json_t *event = json_pack("{s:f, s:s, s:s}", "at_ms",
                              (double)(clock_now_us() - mixed->start_us) / (double)CLOCK_US_PER_MS,
                              "what", what, "replica", replica);

    mixed->progress.share = (double)json_array_size(mixed->events) / EVENTS;
    snprintf(mixed->title, sizeof(mixed->title), "mixed %s %s", what, replica);
    json_array_append_new(mixed->events, event);
    experiment_rig_say(mixed->rig, "%s %s", what, replica);
    return event;
}

static int start_parts(struct mixed *mixed, struct error *why)
{
    mixed->start_us = clock_now_us();
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct part *part = &mixed->parts[i];
        struct load_plan plan = {
            .connections = CONNECTIONS,
            .duration_us = 3600 * CLOCK_US_PER_S, /* until it is stopped */
            .rate = kinds[i].rate,
            .timeout_ms = TIMEOUT_MS,
            .moment_us = MOMENT_US,
        };
        int status = experiment_measure_begin(&part->run, mixed->rig, &plan, kinds[i].path, KEYS,
                                              mixed->options->seed + i, why);

        if (status < 0)
            return status;
        part->is_running = true;
    }
    return 0;
}

/* A replica that stands still for a while again and again, too short to be taken out. */
static int stutter(struct mixed *mixed, uint64_t for_us, struct error *why)
{
    uint64_t end_us = clock_now_us() + for_us;
    struct experiment_harm harm;
    struct error late;
    int status = experiment_harm_aim(&harm, mixed->rig, STUTTERER, why);
    int woken = 0;

    if (status < 0)
        return status;
    add_event(mixed, "stutters", STUTTERER);
    while (status == 0 && woken == 0 && clock_now_us() < end_us) {
        status = experiment_harm_send(&harm, SIGSTOP, why);
        if (status == 0)
            status = experiment_rig_wait(mixed->rig, STUTTER_STOP_US, why);
        woken = experiment_harm_send(&harm, SIGCONT, &late);
        if (status == 0)
            status = experiment_rig_wait(mixed->rig, STUTTER_GO_US, why);
    }
    if (woken == 0)
        woken = experiment_harm_finish(&harm, &late);
    add_event(mixed, "is well", STUTTERER);
    if (status == 0 && woken < 0)
        return error_set(why, woken, "%s", late.text);
    return status;
}

static int kill_one(struct mixed *mixed, const char *name, uint64_t gap_us, struct error *why)
{
    struct experiment_harm harm;
    struct error late;
    int status = experiment_harm_aim(&harm, mixed->rig, name, why);
    int delivered;

    if (status < 0)
        return status;
    add_event(mixed, "kill", name);
    status = experiment_harm_send(&harm, SIGKILL, why);
    if (status == 0)
        status = experiment_rig_wait(mixed->rig, gap_us, why);
    delivered = experiment_harm_finish(&harm, &late);
    if (status == 0 && delivered < 0)
        return error_set(why, delivered, "%s", late.text);
    return status;
}

static int kill_each(struct mixed *mixed, uint64_t gap_us, struct error *why)
{
    int status = 0;

    for (unsigned i = 1; status == 0 && i <= REPLICAS; i++) {
        char name[24];

        snprintf(name, sizeof(name), "Server %u", i);
        status = kill_one(mixed, name, gap_us, why);
    }
    return status;
}

static int run_phases(struct mixed *mixed, struct error *why)
{
    uint64_t phase_us = mixed->options->is_quick ? PHASE_QUICK_US : PHASE_US;
    int status;

    snprintf(mixed->title, sizeof(mixed->title), "mixed");
    load_progress_start(&mixed->progress, &mixed->parts[0].run.run, mixed->title);
    mixed->progress.share = 0;
    status = experiment_rig_wait(mixed->rig, phase_us, why);
    if (status == 0)
        status = stutter(mixed, phase_us, why);
    if (status == 0)
        status = experiment_rig_wait(mixed->rig, phase_us, why);
    if (status == 0)
        status = kill_each(mixed, mixed->options->is_quick ? GAP_QUICK_US : GAP_US, why);
    if (status == 0)
        status = experiment_rig_wait(mixed->rig, phase_us, why);
    load_progress_finish(&mixed->progress);
    return status;
}

static int end_parts(struct mixed *mixed, struct error *why)
{
    int status = 0;

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        load_run_stop(&mixed->parts[i].run.run);
    for (size_t i = 0; status == 0 && i < ARRAY_SIZE(kinds); i++)
        status = experiment_measure_await(&mixed->parts[i].run, mixed->rig, "mixed", why);
    return status;
}

static json_t *describe(const struct mixed *mixed)
{
    json_t *parts = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        json_t *part = load_report_json(&mixed->parts[i].run.run.result);

        json_object_set_new(part, "name", json_string(kinds[i].name));
        json_object_set_new(part, "path", json_string(kinds[i].path));
        json_object_set_new(part, "rate", json_real(kinds[i].rate));
        json_object_del(part, "histogram_us");
        json_array_append_new(parts, part);
    }
    return json_pack("{s:i, s:s, s:o, s:O}", "replicas", REPLICAS, "keys", KEYS, "parts", parts,
                     "events", mixed->events);
}

int experiment_mixed(struct experiment_rig *rig, const struct experiment_options *options,
                     json_t **result, struct error *why)
{
    struct mixed mixed = {.rig = rig, .options = options};
    int status = experiment_rig_start(rig, &options->scheme, REPLICAS, NULL, why);

    if (status < 0)
        return status;
    mixed.events = json_array();
    status = start_parts(&mixed, why);
    if (status == 0)
        status = run_phases(&mixed, why);
    if (status == 0)
        status = end_parts(&mixed, why);
    if (status == 0)
        *result = describe(&mixed);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (mixed.parts[i].is_running)
            experiment_measure_finish(&mixed.parts[i].run);
    }
    json_decref(mixed.events);
    experiment_rig_stop(rig);
    return status;
}

void experiment_mixed_print(const json_t *result)
{
    const json_t *part;
    const json_t *event;
    size_t i;

    printf("A workload as in production: %.0f replicas, keys %s\n",
           experiment_text_number(result, "replicas"),
           json_string_value(json_object_get(result, "keys")));
    printf("  %-24s %8s %9s %7s %9s %9s %9s\n", "requests of", "a second", "requests", "failed",
           "p50 ms", "p99 ms", "max ms");
    json_array_foreach(json_object_get(result, "parts"), i, part)
    {
        printf("  %-24s %8.0f %9.0f %7.0f %9.2f %9.2f %9.1f\n",
               json_string_value(json_object_get(part, "name")),
               experiment_text_number(part, "rate"), experiment_text_number(part, "requests"),
               experiment_text_number(part, "lost"), experiment_text_number(part, "p50_ms"),
               experiment_text_number(part, "p99_ms"), experiment_text_number(part, "max_ms"));
    }
    json_array_foreach(json_object_get(result, "events"), i, event)
    {
        printf("  %7.2f s  %-9s %s\n", experiment_text_number(event, "at_ms") / 1000,
               json_string_value(json_object_get(event, "what")),
               json_string_value(json_object_get(event, "replica")));
    }
}
