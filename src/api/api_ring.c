#include "api/api_ring.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_stats.h"
#include "api/api_v1.h"
#include "base/memory.h"
#include "control/keeper.h"
#include "control/picture.h"

#define SWITCH_BYTES 16

static void set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static uint32_t slots_of(const struct balance_image *image)
{
    return balance_is_keyed(image) ? balance_slots(image) : 0;
}

static void count_slots(const struct balance_image *image, uint32_t *owned)
{
    for (uint32_t slot = 0; slot < slots_of(image); slot++) {
        unsigned owner = balance_slot_owner(image, slot);

        if (owner < balance_count(image))
            owned[owner]++;
    }
}

static json_t *members_json(const struct table *table, const struct crew *crew,
                            const struct balance_image *image)
{
    unsigned count = balance_count(image);
    double *shares = memory_allocate((count + 1) * sizeof(*shares));
    uint32_t *owned = memory_allocate((count + 1) * sizeof(*owned));
    json_t *list = json_array();

    api_stats_shares(table, crew->number, shares);
    count_slots(image, owned);
    for (unsigned i = 0; i < count; i++) {
        double weights = (double)image->weights;
        double fair = weights > 0 ? balance_weight(image, i) / weights : 0;

        json_array_append_new(list,
                              json_pack("{s:s, s:i, s:o, s:f, s:f}", "name", balance_name(image, i),
                                        "weight", (int)balance_weight(image, i), "slots",
                                        slots_of(image) ? json_integer(owned[i]) : json_null(),
                                        "share", shares[i], "fair", fair));
    }
    free(shares);
    free(owned);
    return list;
}

static json_t *owners_json(const struct balance_image *image)
{
    json_t *list = json_array();

    for (uint32_t slot = 0; slot < slots_of(image); slot++) {
        unsigned owner = balance_slot_owner(image, slot);

        json_array_append_new(list,
                              owner < balance_count(image) ? json_integer(owner) : json_null());
    }
    return list;
}

/* What only some schemes have. */
static void set_settings(json_t *json, const struct config_balance *balance)
{
    if (balance->scheme == CONFIG_SCHEME_SLOT_HRW)
        set(json, "cap_percent",
            balance->cap_thousandths == CONFIG_OFF ? json_null()
                                                   : json_real(balance->cap_thousandths / 10.0));
    if (balance->scheme != CONFIG_SCHEME_CLASSIC)
        return;
    set(json, "virtual", json_integer(balance->virtual_servers));
    set(json, "request_hash", json_string(config_request_hash_name(balance->request_hash)));
    set(json, "server_hash", json_string(config_server_hash_name(balance->server_hash)));
}

static json_t *ring_json(const struct crew *crew, bool has_owners)
{
    const struct table *table = crew->publish->table;
    const struct balance_image *image = table_image(table, table_services(table) + crew->number);
    json_t *json = json_object();

    set(json, "service", json_string(crew->config->name));
    set(json, "scheme", json_string(balance_scheme(image)));
    set(json, "epoch", json_integer((json_int_t)table->epoch));
    set(json, "digest", json_string(table->digest));
    set(json, "slots", slots_of(image) ? json_integer(slots_of(image)) : json_null());
    set(json, "hash_version", json_integer(image->hash_version));
    set_settings(json, &crew->config->balance);
    set(json, "members", members_json(table, crew, image));
    if (has_owners)
        set(json, "owners", owners_json(image));
    return json;
}

void api_ring(struct api_request *request)
{
    const struct crew *crew = api_v1_crew(request);
    char owners[SWITCH_BYTES] = "";

    if (!crew)
        return;
    if (!crew->publish->table) {
        api_fail(request, 503, "there is no table yet: the balancer is starting");
        return;
    }
    (void)api_query(request, "owners", owners, sizeof(owners));
    api_v1_add_tag(request);
    api_answer_json(request, 200, ring_json(crew, strcmp(owners, "true") == 0));
}
