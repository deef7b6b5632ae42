#include "control/outlier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

#define THOUSAND        1000u
#define MEDIAN_PERMILLE 500

static uint64_t less(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

bool outlier_is_on(const struct outlier_rules *rules)
{
    return rules->consecutive || rules->latency_thousandths;
}

static void take_bases(struct outlier *outlier, const struct outlier_figures *figures)
{
    outlier->bad_base = figures->bad;
    outlier->good_base = figures->good;
    outlier->failures_base = figures->failures;
    outlier->good_us = figures->good_us;
    outlier_begin_window(outlier, figures);
}

void outlier_begin(struct outlier *outlier, const struct outlier_figures *figures, uint64_t now_us)
{
    *outlier = (struct outlier){.state = OUTLIER_IN, .since_us = now_us};
    take_bases(outlier, figures);
}

/* ---- what the figures say ---- */

/* Of several workers that count at once the order of their answers is not known. Bad ones that came
 * about when a good one did are left out unless its own worker had them later. */
static uint64_t bad_in_a_row(struct outlier *outlier, const struct outlier_figures *figures)
{
    if (figures->good_us > outlier->good_us) {
        outlier->good_us = figures->good_us;
        outlier->bad_base = less(figures->bad, figures->bad_run);
    }
    return less(figures->bad, outlier->bad_base);
}

static enum outlier_action judge_in(struct outlier *outlier, const struct outlier_rules *rules,
                                    const struct outlier_figures *figures, uint64_t now_us)
{
    uint64_t row = bad_in_a_row(outlier, figures);

    if (now_us - outlier->since_us >= rules->most_ms * CLOCK_US_PER_MS)
        outlier->ejections = 0;
    if (!rules->consecutive || row < rules->consecutive) {
        outlier->is_kept = false;
        return OUTLIER_NOTHING;
    }
    outlier->limit_us = 0;
    snprintf(outlier->why, sizeof(outlier->why), "%llu answers 5xx in a row",
             (unsigned long long)row);
    return OUTLIER_EJECT;
}

static enum outlier_action judge_probation(struct outlier *outlier,
                                           const struct outlier_rules *rules,
                                           const struct outlier_figures *figures)
{
    struct outlier_window window;

    if (figures->bad > outlier->bad_base) {
        outlier->limit_us = 0;
        snprintf(outlier->why, sizeof(outlier->why), "an answer 5xx on probation");
        return OUTLIER_EJECT;
    }
    /* One that broke is not a good one: they are counted from there. */
    if (figures->failures != outlier->failures_base) {
        outlier->failures_base = figures->failures;
        outlier->good_base = figures->good;
    }
    if (less(figures->good, outlier->good_base) < rules->trials)
        return OUTLIER_NOTHING;
    window = outlier_end_window(outlier, figures);
    if (outlier->limit_us == 0 || window.median_us <= outlier->limit_us)
        return OUTLIER_RESTORE;
    outlier_blame_slow(outlier, &window, outlier->limit_us);
    return OUTLIER_EJECT;
}

enum outlier_action outlier_judge(struct outlier *outlier, const struct outlier_rules *rules,
                                  const struct outlier_figures *figures, uint64_t now_us)
{
    switch (outlier->state) {
    case OUTLIER_EJECTED:
        return now_us >= outlier->until_us ? OUTLIER_TRY : OUTLIER_NOTHING;
    case OUTLIER_PROBATION:
        return judge_probation(outlier, rules, figures);
    default:
        return judge_in(outlier, rules, figures, now_us);
    }
}

/* ---- what is done ---- */

static uint64_t ejection_us(const struct outlier_rules *rules, uint32_t ejections)
{
    uint64_t ms = rules->base_ms;

    while (ejections-- > 1 && ms < rules->most_ms)
        ms *= 2;
    return (ms < rules->most_ms ? ms : rules->most_ms) * CLOCK_US_PER_MS;
}

void outlier_become(struct outlier *outlier, enum outlier_action action,
                    const struct outlier_rules *rules, const struct outlier_figures *figures,
                    uint64_t now_us)
{
    static const enum outlier_state states[] = {
        [OUTLIER_EJECT] = OUTLIER_EJECTED,
        [OUTLIER_TRY] = OUTLIER_PROBATION,
        [OUTLIER_RESTORE] = OUTLIER_IN,
    };

    if (action == OUTLIER_NOTHING)
        return;
    outlier->state = states[action];
    outlier->since_us = now_us;
    outlier->is_kept = false;
    take_bases(outlier, figures);
    if (action != OUTLIER_EJECT)
        return;
    outlier->ejections++;
    outlier->until_us = now_us + ejection_us(rules, outlier->ejections);
}

bool outlier_may_go(const struct outlier_rules *rules, unsigned in_rotation, unsigned all)
{
    return in_rotation > 1 &&
           (uint64_t)(in_rotation - 1) * THOUSAND >= (uint64_t)all * rules->floor_thousandths;
}

/* ---- slowness ---- */

struct outlier_window outlier_end_window(const struct outlier *outlier,
                                         const struct outlier_figures *figures)
{
    struct outlier_window window = {0};
    uint64_t counts[COUNT_BUCKETS];

    for (unsigned i = 0; i < COUNT_BUCKETS; i++) {
        counts[i] = less(figures->wait[i], outlier->wait_base[i]);
        window.requests += counts[i];
    }
    window.median_us = segments_quantile_us(counts, MEDIAN_PERMILLE);
    return window;
}

void outlier_begin_window(struct outlier *outlier, const struct outlier_figures *figures)
{
    memcpy(outlier->wait_base, figures->wait, sizeof(outlier->wait_base));
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool is_counted(const struct outlier_rules *rules, const struct outlier_window *window)
{
    return window->requests && window->requests >= rules->latency_requests;
}

/* Of an even number the slower of the two in the middle: who is unsure ejects nobody. */
static uint64_t median_of(const struct outlier_rules *rules, const struct outlier_window *windows,
                          unsigned count, unsigned *compared)
{
    uint64_t *medians = memory_allocate((count + 1) * sizeof(*medians));
    uint64_t median;

    *compared = 0;
    for (unsigned i = 0; i < count; i++) {
        if (is_counted(rules, &windows[i]))
            medians[(*compared)++] = windows[i].median_us;
    }
    qsort(medians, *compared, sizeof(*medians), compare);
    median = medians[*compared / 2];
    free(medians);
    return median;
}

int outlier_find_slow(const struct outlier_rules *rules, const struct outlier_window *windows,
                      unsigned count, uint64_t *limit_us)
{
    uint64_t least_us = rules->latency_min_ms * CLOCK_US_PER_MS;
    unsigned compared;
    uint64_t limit;
    int slowest = -1;

    limit = median_of(rules, windows, count, &compared) * rules->latency_thousandths / THOUSAND;
    if (!rules->latency_thousandths || compared < OUTLIER_COMPARED_MIN)
        return -1;
    limit = limit > least_us ? limit : least_us;
    for (unsigned i = 0; i < count; i++) {
        if (!is_counted(rules, &windows[i]) || windows[i].median_us <= limit)
            continue;
        if (slowest < 0 || windows[i].median_us > windows[slowest].median_us)
            slowest = (int)i;
    }
    *limit_us = limit;
    return slowest;
}

void outlier_blame_slow(struct outlier *outlier, const struct outlier_window *window,
                        uint64_t limit_us)
{
    outlier->limit_us = limit_us;
    snprintf(outlier->why, sizeof(outlier->why),
             "slow: half of %llu answers took more than %llu ms, %llu would do",
             (unsigned long long)window->requests,
             (unsigned long long)(window->median_us / CLOCK_US_PER_MS),
             (unsigned long long)(limit_us / CLOCK_US_PER_MS));
}
