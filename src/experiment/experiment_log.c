#include "experiment/experiment_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "experiment/experiment_chance.h"
#include "experiment/experiment_text.h"
#include "experiment/experiment_timeline.h"
#include "load/load_report.h"
#include "ring/ring_log.h"

#define SPARK_WIDTH 60
#define TIME_BYTES  40

struct reading {
    struct experiment_timeline timeline;
    uint64_t lines;
    uint64_t unread;   /* no line of an access log */
    uint64_t unserved; /* no replica was asked */
};

/* "2026-11-20T06:08:07.301Z" in milliseconds since 1970. */
static bool parse_time(struct view text, uint64_t *ms)
{
    struct tm parts = {0};
    char copy[TIME_BYTES];
    const char *rest;
    time_t seconds;
    unsigned fraction = 0;

    if (view_to_text(text, copy, sizeof(copy)) < 0)
        return false;
    rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest || (*rest == '.' && sscanf(rest, ".%3u", &fraction) != 1))
        return false;
    seconds = timegm(&parts);
    *ms = (uint64_t)seconds * 1000 + fraction;
    return seconds >= 0;
}

static struct view key_of(const struct ring_log_line *line)
{
    return (struct view){line->key, line->key_bytes};
}

static void read_line(struct reading *reading, struct view text)
{
    struct ring_log_line when;
    struct ring_log_line replica;
    uint64_t ms;

    reading->lines++;
    if (ring_log_parse(text, "time", &when) < 0 || !parse_time(key_of(&when), &ms)) {
        reading->unread++;
        return;
    }
    if (ring_log_parse(text, "replica", &replica) < 0) {
        reading->unserved++;
        return;
    }
    experiment_timeline_add(&reading->timeline, key_of(&replica), ms);
}

static int read_all(struct experiment_rig *rig, const char *path, struct reading *reading,
                    struct error *why)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    int problem;

    if (!file)
        return error_set(why, -errno, "%s: %m", path);
    while (!rig->is_interrupted && (size = getline(&line, &capacity, file)) >= 0) {
        struct view text = view_trim(
            (struct view){line, line[size - 1] == '\n' ? (size_t)size - 1 : (size_t)size});

        if (text.size)
            read_line(reading, text);
        /* Once in a while: was Ctrl-C pressed? */
        if (reading->lines % 4096 == 0 && experiment_rig_wait(rig, 0, why) < 0)
            break;
    }
    problem = ferror(file) ? errno : 0;
    free(line);
    if (file != stdin)
        fclose(file);
    if (rig->is_interrupted)
        return error_set(why, -EINTR, "interrupted");
    if (problem)
        return error_set(why, -problem, "%s: %s", path, strerror(problem));
    if (!reading->timeline.total)
        return error_set(why, -ENODATA,
                         "%s: no line names a replica; roost's access log (JSON or logfmt) does",
                         path);
    return 0;
}

static json_t *series_json(const struct experiment_timeline *timeline)
{
    unsigned pieces = experiment_timeline_pieces(timeline);
    json_t *all = json_object();

    for (unsigned i = 0; i < timeline->names.count; i++) {
        json_t *list = json_array();

        for (unsigned piece = 0; piece < pieces; piece++)
            json_array_append_new(list, json_integer(timeline->counts[i][piece]));
        json_object_set_new(all, timeline->names.entries[i].name, list);
    }
    return all;
}

static void add_evenness(const struct load_tally *names, json_t *result)
{
    uint64_t *counts = calloc(names->count, sizeof(*counts));
    double *shares = calloc(names->count, sizeof(*shares));
    struct experiment_chance chance;

    if (!counts || !shares)
        abort();
    for (unsigned i = 0; i < names->count; i++) {
        counts[i] = names->entries[i].count;
        shares[i] = 1.0 / names->count;
    }
    chance = experiment_chance_of(counts, shares, names->count);
    json_object_set_new(result, "average", json_real(chance.average));
    json_object_set_new(result, "cv", json_real(chance.cv));
    json_object_set_new(result, "peak_to_average", json_real(chance.peak_to_average));
    free(counts);
    free(shares);
}

int experiment_log(struct experiment_rig *rig, const struct experiment_options *options,
                   json_t **result, struct error *why)
{
    struct reading reading = {0};
    struct experiment_timeline *timeline = &reading.timeline;
    char first[CLOCK_TEXT_BYTES];
    int status;

    experiment_timeline_init(timeline);
    status = read_all(rig, options->file, &reading, why);
    if (status == 0) {
        clock_to_text(timeline->first_ms, first);
        *result =
            json_pack("{s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:o, s:o}", "requests",
                      (json_int_t)timeline->total, "lines", (json_int_t)reading.lines, "unread",
                      (json_int_t)reading.unread, "unserved", (json_int_t)reading.unserved, "first",
                      first, "span_ms", (json_int_t)(timeline->last_ms - timeline->first_ms),
                      "piece_ms", (json_int_t)timeline->piece_ms, "counts",
                      load_report_counts(&timeline->names), "series", series_json(timeline));
        add_evenness(&timeline->names, *result);
    }
    experiment_timeline_finish(timeline);
    return status;
}

/* One letter a column: from nothing to the busiest. */
static void print_spark(const json_t *series)
{
    static const char levels[] = " .:-=+*#%@";
    size_t pieces = json_array_size(series);
    size_t width = pieces < SPARK_WIDTH ? pieces : SPARK_WIDTH;
    double sums[SPARK_WIDTH] = {0};
    double most = 1;

    for (size_t i = 0; i < pieces; i++)
        sums[i * width / pieces] += json_number_value(json_array_get(series, i));
    for (size_t i = 0; i < width; i++) {
        if (sums[i] > most)
            most = sums[i];
    }
    putchar('|');
    for (size_t i = 0; i < width; i++)
        putchar(levels[(size_t)(sums[i] / most * (sizeof(levels) - 2))]);
    putchar('|');
}

void experiment_log_print(const json_t *result)
{
    json_t *counts = json_object_get(result, "counts");
    const char *name;
    json_t *count;

    printf("%.0f requests from %s on, over %.1f s; %.0f lines without a replica, %.0f not read\n",
           experiment_text_number(result, "requests"),
           json_string_value(json_object_get(result, "first")),
           experiment_text_number(result, "span_ms") / 1000,
           experiment_text_number(result, "unserved"), experiment_text_number(result, "unread"));
    json_object_foreach(counts, name, count)
    {
        printf("  %-16s %9.0f  %5.1f %%  ", name, json_number_value(count),
               100 * json_number_value(count) / experiment_text_number(result, "requests"));
        print_spark(json_object_get(json_object_get(result, "series"), name));
        putchar('\n');
    }
    printf("  coefficient of variation %.2f %%, peak/average %.3f\n",
           100 * experiment_text_number(result, "cv"),
           experiment_text_number(result, "peak_to_average"));
}
