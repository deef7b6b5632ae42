#include "api/api_stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "control/keeper.h"
#include "control/workers_count.h"

#define MEDIAN_PERMILLE 500
#define TAIL_PERMILLE   990

void api_stats_shares(const struct table *table, unsigned service, double *shares)
{
    const struct balance_image *image = table_image(table, &table_services(table)[service]);
    unsigned count = balance_count(image);
    uint32_t slots = balance_is_keyed(image) ? balance_slots(image) : 0;
    uint64_t weights = 0;

    for (unsigned i = 0; i < count; i++) {
        shares[i] = 0;
        weights += balance_weight(image, i);
    }
    for (uint32_t slot = 0; slot < slots; slot++) {
        unsigned owner = balance_slot_owner(image, slot);

        if (owner < count)
            shares[owner] += 1.0 / slots;
    }
    /* Without slots the weights say what is meant. */
    for (unsigned i = 0; slots == 0 && i < count; i++)
        shares[i] = weights ? (double)balance_weight(image, i) / (double)weights : 0;
}

static json_t *in_ms(const struct counts_seat *counts, unsigned permille)
{
    return json_real((double)segments_quantile_us(counts->latency, permille) / CLOCK_US_PER_MS);
}

static json_t *member_json(const struct crew_member *member, double share)
{
    struct counts_seat counts;

    crew_count(member, &counts);
    return json_pack("{s:s, s:s, s:I, s:f, s:I, s:I, s:o, s:o, s:i}", "name", member->name, "state",
                     outlier_watch_state_name(member->replica), "requests",
                     (json_int_t)counts.requests, "share", share, "in_flight",
                     (json_int_t)counts.in_flight, "failures", (json_int_t)counts.failures,
                     "p50_ms", in_ms(&counts, MEDIAN_PERMILLE), "p99_ms",
                     in_ms(&counts, TAIL_PERMILLE), "restarts", (int)member->replica->restarts);
}

/* Where the keys of a name go, by the table in force; 0 for one that is not in it yet. */
static double share_of(const struct table *table, const double *shares, const char *name)
{
    const struct table_service *service = &table_services(table)[0];
    const struct table_replica *replicas = table_replicas(table, service);

    for (unsigned i = 0; i < service->replica_count; i++) {
        if (strcmp(replicas[i].name, name) == 0)
            return shares[i];
    }
    return 0;
}

static json_t *members_json(const struct keeper *keeper)
{
    const struct crew *crew = &keeper->crews[0];
    const struct table *table = keeper->publish.table;
    unsigned count = table ? table_services(table)[0].replica_count : 0;
    double *shares = memory_allocate((count + 1) * sizeof(*shares));
    json_t *list = json_array();

    if (table)
        api_stats_shares(table, 0, shares);
    LIST_FOR_EACH (at, &crew->members) {
        const struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);
        double share = table ? share_of(table, shares, member->name) : 0;

        json_array_append_new(list, member_json(member, share));
    }
    free(shares);
    return list;
}

void api_stats(struct api_request *request)
{
    const struct keeper *keeper = request->api->keeper;
    const struct publish *publish = &keeper->publish;
    struct counts_total total = workers_count_total(&keeper->workers);
    const char *scheme = config_scheme_name(keeper->config->services[0].balance.scheme);

    api_answer_json(request, 200,
                    json_pack("{s:{s:I, s:I, s:I}, s:o, s:{s:s, s:I, s:s}}", "total", "requests",
                              (json_int_t)total.requests, "errors", (json_int_t)total.errors,
                              "in_flight", (json_int_t)total.in_flight, "replicas",
                              members_json(keeper), "ring", "scheme", scheme, "epoch",
                              (json_int_t)publish->epoch, "digest",
                              publish->table ? publish->table->digest : ""));
}
