#include "load/load_report.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/memory.h"

#define BAR_WIDTH 30
#define BAR       "##############################"

static const struct {
    const char *name;
    double quantile;
} quantiles[] = {
    {"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"p999_ms", 0.999}, {"max_ms", 1},
};

static double in_ms(double us)
{
    return us / (double)CLOCK_US_PER_MS;
}

static double quantile_ms(const struct load_histogram *histogram, double quantile)
{
    if (quantile >= 1)
        return in_ms((double)histogram->max_us);
    return in_ms((double)load_histogram_quantile_us(histogram, quantile));
}

/* ---- names in the order people expect: Server 2 before Server 10 ---- */

static int compare_names(const void *a, const void *b)
{
    return strverscmp((*(const struct load_tally_entry *const *)a)->name,
                      (*(const struct load_tally_entry *const *)b)->name);
}

static const struct load_tally_entry **sorted(const struct load_tally *tally)
{
    const struct load_tally_entry **entries =
        memory_allocate((tally->count + 1) * sizeof(*entries));

    for (unsigned i = 0; i < tally->count; i++)
        entries[i] = &tally->entries[i];
    qsort(entries, tally->count, sizeof(*entries), compare_names);
    return entries;
}

json_t *load_report_counts(const struct load_tally *tally)
{
    const struct load_tally_entry **entries = sorted(tally);
    json_t *counts = json_object();

    for (unsigned i = 0; i < tally->count; i++)
        json_object_set_new(counts, entries[i]->name, json_integer((json_int_t)entries[i]->count));
    free(entries);
    return counts;
}

/* ---- JSON ---- */

static json_t *statuses_json(const struct load_result *result)
{
    json_t *statuses = json_object();
    char name[8];

    for (unsigned i = 0; i < LOAD_RESULT_STATUS_MAX; i++) {
        if (!result->statuses[i])
            continue;
        snprintf(name, sizeof(name), "%u", i);
        json_object_set_new(statuses, name, json_integer((json_int_t)result->statuses[i]));
    }
    return statuses;
}

static uint64_t bad_statuses(const struct load_result *result)
{
    uint64_t count = 0;

    for (unsigned i = 400; i < LOAD_RESULT_STATUS_MAX; i++)
        count += result->statuses[i];
    return count;
}

static json_t *errors_json(const struct load_result *result)
{
    json_t *errors = json_object();

    for (unsigned i = 0; i < LOAD_FAILURES; i++)
        json_object_set_new(errors, load_result_failure_name(i),
                            json_integer((json_int_t)result->failures[i]));
    json_object_set_new(errors, "status", json_integer((json_int_t)bad_statuses(result)));
    return errors;
}

static json_t *histogram_json(const struct load_histogram *histogram)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i])
            json_array_append_new(list,
                                  json_pack("[I, I, i]", (json_int_t)load_histogram_start_us(i),
                                            (json_int_t)load_histogram_start_us(i + 1),
                                            (int)histogram->buckets[i]));
    }
    return list;
}

static json_t *moments_json(const struct load_result *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->moment_count; i++) {
        const struct load_moment *moment = &result->moments[i];
        double start_ms = in_ms((double)i * (double)result->moment_us);

        json_array_append_new(list,
                              json_pack("{s:f, s:i, s:i, s:f, s:f, s:f}", "ms", start_ms, "answers",
                                        (int)moment->answers, "errors", (int)moment->errors,
                                        "p50_ms", in_ms(moment->p50_us), "p99_ms",
                                        in_ms(moment->p99_us), "max_ms", in_ms(moment->max_us)));
    }
    return list;
}

json_t *load_report_json(const struct load_result *result)
{
    json_t *all = json_pack(
        "{s:I, s:I, s:I, s:f, s:f, s:I, s:o, s:o, s:o}", "requests", (json_int_t)result->requests,
        "answers", (json_int_t)result->answers, "lost", (json_int_t)result->lost, "duration_s",
        load_result_seconds(result), "requests_per_s", load_result_rate(result), "body_bytes",
        (json_int_t)result->body_bytes, "counts", load_report_counts(&result->replicas), "statuses",
        statuses_json(result), "errors", errors_json(result));

    json_object_set_new(all, "mean_ms", json_real(in_ms(load_histogram_mean_us(&result->latency))));
    for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
        json_object_set_new(all, quantiles[i].name,
                            json_real(quantile_ms(&result->latency, quantiles[i].quantile)));
    json_object_set_new(all, "histogram_us", histogram_json(&result->latency));
    if (result->moment_us)
        json_object_set_new(all, "series", moments_json(result));
    return all;
}

static void print_json(const struct load_options *options, const struct load_result *result)
{
    const struct load_plan *plan = &options->plan;
    json_t *all =
        json_pack("{s:s, s:s, s:i, s:f, s:I}", "url", options->url, "loop",
                  plan->rate > 0 ? "open" : "closed", "connections", (int)plan->connections, "rate",
                  plan->rate, "seed", (json_int_t)(options->seed & INT64_MAX));

    json_object_update_new(all, load_report_json(result));
    json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(7));
    putchar('\n');
    json_decref(all);
}

/* ---- CSV ---- */

/* A column for each replica that answered. */
static void print_csv_replicas(const struct load_result *result, bool has_counts)
{
    const struct load_tally_entry **entries = sorted(&result->replicas);

    for (unsigned i = 0; i < result->replicas.count; i++) {
        putchar(',');
        if (has_counts)
            printf("%llu", (unsigned long long)entries[i]->count);
        else
            escape_print_csv(stdout, entries[i]->name);
    }
    free(entries);
}

static void print_csv(const struct load_options *options, const struct load_result *result)
{
    printf("loop,connections,rate,requests,answers,lost,duration_s,requests_per_s,mean_ms");
    for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
        printf(",%s", quantiles[i].name);
    for (unsigned i = 0; i < LOAD_FAILURES; i++)
        printf(",%s", load_result_failure_name(i));
    printf(",status");
    print_csv_replicas(result, false);
    printf("\n%s,%u,%g,%llu,%llu,%llu,%.3f,%.1f,%.3f", options->plan.rate > 0 ? "open" : "closed",
           options->plan.connections, options->plan.rate, (unsigned long long)result->requests,
           (unsigned long long)result->answers, (unsigned long long)result->lost,
           load_result_seconds(result), load_result_rate(result),
           in_ms(load_histogram_mean_us(&result->latency)));
    for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
        printf(",%.3f", quantile_ms(&result->latency, quantiles[i].quantile));
    for (unsigned i = 0; i < LOAD_FAILURES; i++)
        printf(",%llu", (unsigned long long)result->failures[i]);
    printf(",%llu", (unsigned long long)bad_statuses(result));
    print_csv_replicas(result, true);
    putchar('\n');
}

/* ---- a table ---- */

static void print_replicas(const struct load_result *result)
{
    const struct load_tally_entry **entries = sorted(&result->replicas);
    uint64_t most = 1;

    for (unsigned i = 0; i < result->replicas.count; i++) {
        if (entries[i]->count > most)
            most = entries[i]->count;
    }
    for (unsigned i = 0; i < result->replicas.count; i++) {
        double share = (double)entries[i]->count / (double)(result->answers ? result->answers : 1);
        int bar = (int)(BAR_WIDTH * entries[i]->count / most);

        printf("  %-20s %10llu  %5.1f %%  %.*s\n", entries[i]->name,
               (unsigned long long)entries[i]->count, share * 100, bar, BAR);
    }
    free(entries);
}

/* How many answers took from 2^k to 2^(k+1) us, a line each; the buckets end at powers of two. */
static void print_histogram(const struct load_histogram *latency)
{
    uint64_t counts[LOAD_HISTOGRAM_TOP_BITS + 1] = {0};
    unsigned first = LOAD_HISTOGRAM_TOP_BITS;
    unsigned last = 0;
    uint64_t most = 1;

    for (unsigned i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++) {
        uint64_t start_us = load_histogram_start_us(i);
        unsigned power = start_us ? 63 - (unsigned)__builtin_clzll(start_us) : 0;

        if (!latency->buckets[i])
            continue;
        counts[power] += latency->buckets[i];
        most = counts[power] > most ? counts[power] : most;
        first = power < first ? power : first;
        last = power;
    }
    for (unsigned i = first; i <= last; i++) {
        double end_ms = in_ms((double)(UINT64_C(2) << i));

        printf("  up to %11.3f ms %10llu  %5.1f %%  %.*s\n", end_ms, (unsigned long long)counts[i],
               100 * (double)counts[i] / (double)latency->count,
               (int)(BAR_WIDTH * counts[i] / most), BAR);
    }
}

static void print_errors(const struct load_result *result)
{
    for (unsigned i = 0; i < LOAD_FAILURES; i++) {
        if (result->failures[i])
            printf("  %-20s %10llu\n", load_result_failure_name(i),
                   (unsigned long long)result->failures[i]);
    }
    for (unsigned i = 0; i < LOAD_RESULT_STATUS_MAX; i++) {
        if (result->statuses[i])
            printf("  status %-13u %10llu\n", i, (unsigned long long)result->statuses[i]);
    }
}

static void print_table(const struct load_options *options, const struct load_result *result)
{
    const struct load_histogram *latency = &result->latency;

    printf("%s: %llu requests in %.2f s, %.0f requests/s, %llu lost\n", options->url,
           (unsigned long long)result->requests, load_result_seconds(result),
           load_result_rate(result), (unsigned long long)result->lost);
    printf("latency ms: mean %.3f", in_ms(load_histogram_mean_us(latency)));
    printf("  p50 %.3f  p90 %.3f  p99 %.3f  p99.9 %.3f  max %.3f\n", quantile_ms(latency, 0.5),
           quantile_ms(latency, 0.9), quantile_ms(latency, 0.99), quantile_ms(latency, 0.999),
           quantile_ms(latency, 1));
    if (result->replicas.count) {
        puts("answered by");
        print_replicas(result);
    }
    if (latency->count) {
        puts("latencies");
        print_histogram(latency);
    }
    puts("ended as");
    print_errors(result);
}

void load_report_print(const struct load_options *options, const struct load_result *result)
{
    switch (options->format) {
    case LOAD_JSON:
        print_json(options, result);
        return;
    case LOAD_CSV:
        print_csv(options, result);
        return;
    case LOAD_TABLE:
        print_table(options, result);
        return;
    }
}
