#include "ring/ring_shares.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balance/balance_plan.h"
#include "base/escape.h"
#include "base/memory.h"
#include "base/word.h"

#define CLASSIC_FIRST_KEY 100000
#define CLASSIC_LAST_KEY  999999

static void count_keys(const struct balance_image *image, uint64_t first, uint64_t last,
                       double *shares)
{
    uint64_t *counts = memory_allocate((balance_count(image) + 1) * sizeof(*counts));

    for (uint64_t number = first;; number++) {
        char text[24];
        int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
        uint64_t hash = balance_hash(image, (struct view){text, (size_t)size}, NULL);

        counts[balance_owner(image, hash, 0, NULL)]++;
        if (number == last)
            break;
    }
    for (unsigned i = 0; i < balance_count(image); i++)
        shares[i] = (double)counts[i] / (double)(last - first + 1);
    free(counts);
}

/* By the slots or the arcs of the ring, which are what a plan of no change counts. */
static int count_space(const struct balance_image *image, double *shares, struct error *why)
{
    struct balance_plan plan;
    int answer = balance_plan_make(image, image, &plan, why);

    if (answer < 0)
        return answer;
    for (unsigned i = 0; i < balance_count(image); i++)
        shares[i] = (double)plan.shares[i].before / (double)plan.units;
    balance_plan_finish(&plan);
    return 0;
}

static double weights_of(const struct balance_image *image)
{
    double weights = 0;

    for (unsigned i = 0; i < balance_count(image); i++)
        weights += balance_weight(image, i);
    return weights;
}

int ring_shares_compute(const struct ring_options *options, const struct balance_image *image,
                        double *shares, struct error *why)
{
    double weights = weights_of(image);

    for (unsigned i = 0; i < balance_count(image); i++)
        shares[i] = weights > 0 ? balance_weight(image, i) / weights : 0;
    if (weights == 0 || !balance_is_keyed(image))
        return 0;
    if (options->has_keys)
        count_keys(image, options->first_key, options->last_key, shares);
    else if (strcmp(balance_scheme(image), "classic") == 0)
        count_keys(image, CLASSIC_FIRST_KEY, CLASSIC_LAST_KEY, shares);
    else
        return count_space(image, shares, why);
    return 0;
}

struct ring_shares_evenness ring_shares_evenness(const struct balance_image *image,
                                                 const double *shares)
{
    struct ring_shares_evenness evenness = {0};
    double weights = weights_of(image);
    double squares = 0;
    unsigned active = 0;

    for (unsigned i = 0; i < balance_count(image); i++) {
        double weight = balance_weight(image, i);
        double multiple = weight > 0 ? shares[i] * weights / weight : 0;

        if (weight == 0)
            continue;
        active++;
        squares += (multiple - 1) * (multiple - 1);
        evenness.peak = multiple > evenness.peak ? multiple : evenness.peak;
    }
    evenness.variation = active ? sqrt(squares / active) : 0;
    return evenness;
}

static void print_json(const struct balance_image *image, const double *shares)
{
    printf("{\"scheme\":");
    ring_options_print_json(balance_scheme(image));
    printf(",\"shares\":{");
    for (unsigned i = 0; i < balance_count(image); i++) {
        if (i > 0)
            putchar(',');
        ring_options_print_json(balance_name(image, i));
        printf(":%.9g", shares[i]);
    }
    printf("}}\n");
}

static void print_csv(const struct balance_image *image, const double *shares)
{
    printf("name,weight,share\n");
    for (unsigned i = 0; i < balance_count(image); i++) {
        escape_print_csv(stdout, balance_name(image, i));
        printf(",%u,%.9g\n", balance_weight(image, i), shares[i]);
    }
}

static void print_table(const struct balance_image *image, const double *shares)
{
    struct ring_shares_evenness evenness = ring_shares_evenness(image, shares);
    double weights = weights_of(image);

    printf("%-24s %7s %9s %9s\n", "replica", "weight", "share", "of fair");
    for (unsigned i = 0; i < balance_count(image); i++) {
        double weight = balance_weight(image, i);

        printf("%-24s %7.0f %8.3f%% %9.3f\n", balance_name(image, i), weight, shares[i] * 100,
               weight > 0 ? shares[i] * weights / weight : 0);
    }
    printf("%s: peak/average %.4f, coefficient of variation %.2f %%\n", balance_scheme(image),
           evenness.peak, evenness.variation * 100);
}

int ring_shares(const struct ring_options *options)
{
    struct balance_image *image = NULL;
    double *shares;
    struct error why;
    int answer;

    if (balance_build(&options->balance, options->members, options->count, &image, &why) < 0)
        return ring_options_fail(&why);
    shares = memory_allocate((options->count + 1) * sizeof(*shares));
    answer = ring_shares_compute(options, image, shares, &why);
    if (answer < 0)
        ring_options_fail(&why);
    else if (options->is_json)
        print_json(image, shares);
    else if (options->is_csv)
        print_csv(image, shares);
    else
        print_table(image, shares);
    free(shares);
    balance_destroy(image);
    return answer < 0 ? WORD_FAILED : WORD_DONE;
}
