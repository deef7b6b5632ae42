#include "ring/ring_compare.h"

#include <stdlib.h>
#include <string.h>

#include "balance/balance_plan.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/word.h"
#include "ring/ring_chart.h"
#include "ring/ring_members.h"
#include "ring/ring_shares.h"

#define ROWS_MAX      16
#define LEAVERS_MAX   8     /* members whose leaving is looked at */
#define LOOKUPS       20000 /* a round; the quickest of them counts */
#define LOOKUP_ROUNDS 25
#define LOOKUP_KEYS   1000
#define LOOKUP_FIRST  100000
#define LOOKUP_STRIDE 877
#define LOOKUP_BYTES  7 /* six digits and the zero */
#define NEWCOMER      "newcomer"

/* The command line's options with another scheme; --slots is for those that have them. */
static int options_of(const struct ring_options *options, const char *scheme,
                      struct balance_options *balance, struct error *why)
{
    bool is_chosen = strcmp(options->balance.scheme, scheme) == 0;

    if (is_chosen) {
        *balance = options->balance;
        return 0;
    }
    *balance = BALANCE_OPTIONS;
    balance->scheme = scheme;
    balance->cap = options->balance.cap;
    return balance_check(balance, why);
}

static double ratio_of(const struct balance_image *before, const struct balance_image *after)
{
    struct balance_plan plan;
    double ratio = 0;

    if (balance_plan_make(before, after, &plan, NULL) < 0)
        return 0;
    if (plan.minimum)
        ratio = (double)plan.moved / (double)plan.minimum;
    balance_plan_finish(&plan);
    return ratio;
}

/* The same members without the one at `at`, or with a newcomer where there is none. */
static double measure_change(const struct balance_options *balance,
                             const struct ring_options *options, const struct balance_image *before,
                             size_t at)
{
    struct ring_members members;
    struct balance_image *after = NULL;
    double ratio = 0;
    int answer;

    ring_members_init(&members, options);
    if (at < options->count)
        answer = ring_members_remove(&members, view_of(options->members[at].name), NULL);
    else
        answer = ring_members_add(&members, VIEW(NEWCOMER), NULL);
    if (answer == 0)
        answer = balance_build(balance, members.items, members.count, &after, NULL);
    if (answer == 0)
        ratio = ratio_of(before, after);
    balance_destroy(after);
    ring_members_finish(&members);
    return ratio;
}

static void measure_movement(const struct balance_options *balance,
                             const struct ring_options *options, const struct balance_image *image,
                             struct ring_compare_row *row)
{
    size_t leavers = options->count < LEAVERS_MAX ? options->count : LEAVERS_MAX;
    unsigned counted = 0;

    for (size_t i = 0; i < leavers && options->count > 1; i++) {
        double ratio = measure_change(balance, options, image, i * options->count / leavers);

        row->leave += ratio;
        counted += ratio > 0;
    }
    if (counted)
        row->leave /= counted;
    row->come = measure_change(balance, options, image, options->count);
}

/* One round's microseconds. `sum` is where the answers go, so that the loop is done. */
static uint64_t time_lookups(const struct balance_image *image,
                             const char keys[LOOKUP_KEYS][LOOKUP_BYTES], volatile uint64_t *sum)
{
    struct balance_load load = {0};
    uint64_t owners = 0;
    uint64_t start = clock_now_us();

    for (unsigned i = 0; i < LOOKUPS; i++) {
        struct view key = {keys[i % LOOKUP_KEYS], LOOKUP_BYTES - 1};

        owners += balance_owner(image, balance_hash(image, key, &load), 0, &load);
    }
    *sum = owners;
    return clock_now_us() - start;
}

static double measure_lookup(const struct balance_image *image)
{
    char keys[LOOKUP_KEYS][LOOKUP_BYTES];
    volatile uint64_t sum;
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < LOOKUP_KEYS; i++)
        snprintf(keys[i], sizeof(keys[i]), "%06u", LOOKUP_FIRST + i * LOOKUP_STRIDE);
    for (unsigned i = 0; i < LOOKUP_ROUNDS; i++) {
        uint64_t time = time_lookups(image, keys, &sum);

        least = time < least ? time : least;
    }
    return (double)least * 1000 / LOOKUPS;
}

static int measure(const struct ring_options *options, struct ring_compare_row *row)
{
    struct balance_options balance;
    struct balance_image *image = NULL;
    struct ring_shares_evenness evenness;
    double *shares;
    uint64_t start;
    int answer = options_of(options, row->scheme, &balance, &row->why);

    if (answer < 0)
        return answer;
    start = clock_now_us();
    answer = balance_build(&balance, options->members, options->count, &image, &row->why);
    row->build_ms = (double)(clock_now_us() - start) / 1000;
    if (answer < 0)
        return answer;
    shares = memory_allocate((options->count + 1) * sizeof(*shares));
    answer = ring_shares_compute(options, image, shares, &row->why);
    if (answer == 0) {
        evenness = ring_shares_evenness(image, shares);
        row->peak = evenness.peak;
        row->variation = evenness.variation;
        row->table_bytes = (double)balance_image_bytes(image);
        row->lookup_ns = measure_lookup(image);
        if (balance_is_keyed(image))
            measure_movement(&balance, options, image, row);
    }
    free(shares);
    balance_destroy(image);
    return answer;
}

static void print_json(const struct ring_compare_row *rows, size_t count)
{
    printf("[");
    for (size_t i = 0; i < count; i++) {
        const struct ring_compare_row *row = &rows[i];

        printf("%s{\"scheme\":\"%s\"", i ? "," : "", row->scheme);
        if (row->is_built) {
            printf(",\"peak_to_average\":%.6g,\"cv\":%.6g,\"leave_over_minimum\":%.6g,"
                   "\"come_over_minimum\":%.6g,\"lookup_ns\":%.4g,\"build_ms\":%.6g,"
                   "\"bytes\":%.0f}",
                   row->peak, row->variation, row->leave, row->come, row->lookup_ns, row->build_ms,
                   row->table_bytes);
        } else {
            printf(",\"error\":");
            ring_options_print_json(row->why.text);
            printf("}");
        }
    }
    printf("]\n");
}

static void print_csv(const struct ring_compare_row *rows, size_t count)
{
    printf("scheme,peak_to_average,cv,leave_over_minimum,come_over_minimum,lookup_ns,build_ms,"
           "bytes\n");
    for (size_t i = 0; i < count; i++) {
        const struct ring_compare_row *row = &rows[i];

        if (row->is_built)
            printf("%s,%.6g,%.6g,%.6g,%.6g,%.4g,%.6g,%.0f\n", row->scheme, row->peak,
                   row->variation, row->leave, row->come, row->lookup_ns, row->build_ms,
                   row->table_bytes);
    }
}

static void print_table(const struct ring_compare_row *rows, size_t count)
{
    printf("%-12s %9s %8s %9s %9s %10s %10s %10s\n", "scheme", "peak/avg", "CV %", "leave x",
           "come x", "look-up ns", "build ms", "KiB");
    for (size_t i = 0; i < count; i++) {
        const struct ring_compare_row *row = &rows[i];

        if (!row->is_built) {
            printf("%-12s %s\n", row->scheme, row->why.text);
            continue;
        }
        printf("%-12s %9.4f %8.2f ", row->scheme, row->peak, row->variation * 100);
        if (row->leave > 0)
            printf("%9.3f %9.3f ", row->leave, row->come);
        else
            printf("%9s %9s ", "-", "-");
        printf("%10.1f %10.3f %10.1f\n", row->lookup_ns, row->build_ms, row->table_bytes / 1024);
    }
    printf("leave x, come x: what one that leaves or comes moves, over the least it could\n");
}

int ring_compare(const struct ring_options *options)
{
    struct ring_compare_row *rows = memory_allocate(ROWS_MAX * sizeof(*rows));
    size_t count = 0;
    struct error why;
    int answer = 0;

    for (; count < ROWS_MAX && balance_scheme_name((unsigned)count); count++) {
        rows[count].scheme = balance_scheme_name((unsigned)count);
        rows[count].is_built = measure(options, &rows[count]) == 0;
    }
    if (options->is_json)
        print_json(rows, count);
    else if (options->is_csv)
        print_csv(rows, count);
    else
        print_table(rows, count);
    if (options->plot)
        answer = ring_chart_write(options->plot, rows, count, &why);
    free(rows);
    return answer < 0 ? ring_options_fail(&why) : WORD_DONE;
}
