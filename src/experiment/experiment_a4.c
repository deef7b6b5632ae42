#include "experiment/experiment_a4.h"

#include "balance/classic_hash.h"
#include "experiment/experiment_a2.h"
#include "experiment/experiment_placement.h"
#include "experiment/experiment_text.h"

#define QUICK_LAST     3 /* replicas */
#define QUICK_REQUESTS 300
#define PICTURED       3 /* the replicas of A-1 */
#define CLASSIC        "classic"
#define TITLE_BYTES    96

struct grid {
    struct experiment_rig *rig;
    struct experiment_options options;
    unsigned last;
    unsigned row_count; /* in the end */
    json_t *rows;
};

static int add_row(struct grid *grid, const struct experiment_scheme *scheme, struct error *why)
{
    bool is_classic = scheme->request_hash != NULL;
    double lookup_ns = 0;
    char title[TITLE_BYTES];
    json_t *row = NULL;
    int status;

    snprintf(title, sizeof(title), "a4 %zu/%u %s%s%s%s%s", json_array_size(grid->rows) + 1,
             grid->row_count, scheme->scheme, is_classic ? " " : "",
             is_classic ? scheme->request_hash : "", is_classic ? " / " : "",
             is_classic ? scheme->server_hash : "");
    experiment_rig_note(grid->rig, "%s", title);
    grid->options.scheme = *scheme;
    status = experiment_a2_steps(grid->rig, &grid->options, grid->last, title, &row, why);
    if (status < 0)
        return status;
    json_object_set_new(row, "request_hash",
                        is_classic ? json_string(scheme->request_hash) : json_null());
    json_object_set_new(row, "server_hash",
                        is_classic ? json_string(scheme->server_hash) : json_null());
    status = experiment_placement_lookup_ns(scheme, PICTURED, &lookup_ns, why);
    json_object_set_new(row, "lookup_ns", json_real(lookup_ns));
    json_array_append_new(grid->rows, row);
    return status;
}

static unsigned count_rows(void)
{
    unsigned schemes = 0;
    unsigned requests = 0;
    unsigned servers = 0;

    while (balance_scheme_name(schemes))
        schemes++;
    while (classic_hash_request_name(requests))
        requests++;
    while (classic_hash_server_name(servers))
        servers++;
    return schemes - 1 + requests * servers;
}

static int add_classic(struct grid *grid, struct error *why)
{
    struct experiment_scheme scheme = {.scheme = CLASSIC};
    int status = 0;

    for (unsigned i = 0; status == 0 && classic_hash_request_name(i); i++) {
        for (unsigned j = 0; status == 0 && classic_hash_server_name(j); j++) {
            scheme.request_hash = classic_hash_request_name(i);
            scheme.server_hash = classic_hash_server_name(j);
            status = add_row(grid, &scheme, why);
        }
    }
    return status;
}

static int add_all(struct grid *grid, struct error *why)
{
    int status = 0;

    for (unsigned i = 0; status == 0 && balance_scheme_name(i); i++) {
        struct experiment_scheme scheme = {.scheme = balance_scheme_name(i)};

        if (strcmp(scheme.scheme, CLASSIC) == 0)
            status = add_classic(grid, why);
        else
            status = add_row(grid, &scheme, why);
    }
    return status;
}

int experiment_a4(struct experiment_rig *rig, const struct experiment_options *options,
                  json_t **result, struct error *why)
{
    struct grid grid = {
        .rig = rig,
        .options = *options,
        .last = options->is_quick ? QUICK_LAST : EXPERIMENT_A2_LAST,
        .row_count = count_rows(),
        .rows = json_array(),
    };
    int status;

    if (options->is_quick && grid.options.requests > QUICK_REQUESTS)
        grid.options.requests = QUICK_REQUESTS;
    status = add_all(&grid, why);
    if (status < 0) {
        json_decref(grid.rows);
        return status;
    }
    *result =
        json_pack("{s:I, s:o}", "requests", (json_int_t)grid.options.requests, "rows", grid.rows);
    return 0;
}

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text ? text : "";
}

static void print_counts(const json_t *counts)
{
    const char *name;
    json_t *count;
    char text[64] = "";
    size_t size = 0;

    json_object_foreach((json_t *)counts, name, count)
    {
        if (size < sizeof(text))
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%.0f", size ? "/" : "",
                                     json_number_value(count));
    }
    printf("%-19s", text);
}

void experiment_a4_print(const json_t *result)
{
    const json_t *row;
    size_t i;

    printf("A-4: %.0f requests at each number of replicas\n",
           experiment_text_number(result, "requests"));
    printf("  %-12s %-14s %-10s %-19s %8s %9s %8s %9s %10s %9s\n", "scheme", "request hash",
           "server", "counts, 3 replicas", "cv", "peak/avg", "p", "cv, most", "requests/s",
           "ns/lookup");
    json_array_foreach(json_object_get(result, "rows"), i, row)
    {
        const json_t *steps = json_object_get(row, "steps");
        const json_t *three = json_array_get(steps, PICTURED - EXPERIMENT_A2_FIRST);
        const json_t *most = json_array_get(steps, json_array_size(steps) - 1);

        printf("  %-12s %-14s %-10s ", text_of(row, "scheme"), text_of(row, "request_hash"),
               text_of(row, "server_hash"));
        print_counts(json_object_get(three, "counts"));
        printf(" %6.1f %% %9.3f", 100 * experiment_text_number(three, "cv"),
               experiment_text_number(three, "peak_to_average"));
        if (json_is_real(json_object_get(three, "chi2_p")))
            printf(" %8.4f", experiment_text_number(three, "chi2_p"));
        else
            printf(" %8s", "-");
        printf(" %7.1f %% %10.0f %9.1f\n", 100 * experiment_text_number(most, "cv"),
               experiment_text_number(three, "requests_per_s"),
               experiment_text_number(row, "lookup_ns"));
    }
}
