/*
 * The ring of the class assignment: M slots, K virtual servers for each member, placed by a
 * function of id and number in the order of ids, the next free slot where theirs is taken. A
 * request belongs to the first virtual server at or after its slot. Weights are 0 or not 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balance/classic_hash.h"
#include "balance/clockwise.h"
#include "balance/image.h"
#include "base/memory.h"

#define SLOTS_MIN     2
#define SLOTS_DEFAULT 512
#define EMPTY         UINT32_MAX

/* What stands at the start of the table. */
struct classic {
    uint32_t servers; /* virtual ones */
    uint32_t firsts;  /* offset of uint32_t[slots]: the first virtual server at the slot or after */
    uint32_t numbers; /* uint32_t[servers]: which of its member's each is */
    uint32_t owners;  /* uint16_t[servers], in the order of slots */
};

static int check_functions(struct balance_options *options, struct error *why)
{
    int request = options->request_hash ? classic_hash_find_request(options->request_hash) : 0;
    int server = options->server_hash ? classic_hash_find_server(options->server_hash) : 0;

    if (request < 0)
        return error_set(why, -EINVAL, "there is no request_hash \"%s\"", options->request_hash);
    if (server < 0)
        return error_set(why, -EINVAL, "there is no server_hash \"%s\"", options->server_hash);
    options->request_hash = classic_hash_request_name((unsigned)request);
    options->server_hash = classic_hash_server_name((unsigned)server);
    return 0;
}

static int classic_check(struct balance_options *options, struct error *why)
{
    uint32_t slots = options->slots ? options->slots : SLOTS_DEFAULT;
    uint32_t servers = options->virtual_servers;

    if (slots < SLOTS_MIN || slots > BALANCE_SLOTS_MAX)
        return error_set(why, -EINVAL, "slots is %u: expected %d to %d", slots, SLOTS_MIN,
                         BALANCE_SLOTS_MAX);
    if (servers == 0)
        servers = 31 - (uint32_t)__builtin_clz(slots);
    if (servers > slots)
        return error_set(why, -EINVAL, "virtual is %u: expected 1 to %u, the number of slots",
                         servers, slots);
    options->slots = slots;
    options->virtual_servers = servers;
    options->cap = 0;
    memset(options->key, 0, sizeof(options->key));
    return check_functions(options, why);
}

static int compare_by_id(const void *a, const void *b, void *context)
{
    const struct balance_entry *entries = context;
    uint32_t left = entries[*(const uint16_t *)a].id;
    uint32_t right = entries[*(const uint16_t *)b].id;

    return left < right ? -1 : left > right;
}

/* Slot -> place of its member in the order of ids times K, plus the virtual server's number. */
static void place_servers(const struct scheme_input *input, const uint16_t *order, uint32_t *ring)
{
    const struct balance_options *options = &input->options;
    unsigned function = (unsigned)classic_hash_find_server(options->server_hash);

    memset(ring, 0xff, options->slots * sizeof(*ring));
    for (uint32_t i = 0; i < input->roster->active; i++) {
        for (uint32_t j = 0; j < options->virtual_servers; j++) {
            uint32_t slot = classic_hash_server(function, input->roster->entries[order[i]].id, j,
                                                options->slots);

            while (ring[slot] != EMPTY)
                slot = slot + 1 == options->slots ? 0 : slot + 1;
            ring[slot] = i * options->virtual_servers + j;
        }
    }
}

static void write_ring(const struct scheme_input *input, const uint16_t *order,
                       const uint32_t *ring, void *table)
{
    const struct balance_options *options = &input->options;
    const struct classic *head = table;
    uint32_t *firsts = (uint32_t *)((char *)table + head->firsts);
    uint32_t *numbers = (uint32_t *)((char *)table + head->numbers);
    uint16_t *owners = (uint16_t *)((char *)table + head->owners);
    uint32_t at = 0;

    for (uint32_t slot = 0; slot < options->slots; slot++) {
        firsts[slot] = at;
        if (ring[slot] == EMPTY)
            continue;
        owners[at] = order[ring[slot] / options->virtual_servers];
        numbers[at++] = ring[slot] % options->virtual_servers;
    }
    for (uint32_t slot = options->slots; at && slot > 0 && firsts[slot - 1] == at; slot--)
        firsts[slot - 1] = 0; /* past the last one: round to the first */
}

static int classic_build(const struct scheme_input *input, struct balance_image **image,
                         struct error *why)
{
    const struct balance_options *options = &input->options;
    const struct roster *roster = input->roster;
    uint64_t servers = (uint64_t)roster->active * options->virtual_servers;
    struct classic head = {.servers = (uint32_t)servers, .firsts = sizeof(head)};
    uint16_t *order;
    uint32_t *ring;
    uint32_t active = 0;
    int answer;

    if (servers > options->slots)
        return error_set(why, -ENOSPC,
                         "the ring of %u slots is full: %u members of %u virtual servers need %llu",
                         options->slots, roster->active, options->virtual_servers,
                         (unsigned long long)servers);
    head.numbers = head.firsts + options->slots * (uint32_t)sizeof(uint32_t);
    head.owners = head.numbers + head.servers * (uint32_t)sizeof(uint32_t);
    answer = image_create(input, head.owners + head.servers * sizeof(uint16_t), image, why);
    if (answer < 0)
        return answer;
    memcpy(image_table(*image), &head, sizeof(head));
    (*image)->request_hash = (uint16_t)classic_hash_find_request(options->request_hash);
    (*image)->server_hash = (uint16_t)classic_hash_find_server(options->server_hash);
    order = memory_allocate((roster->active + 1) * sizeof(*order));
    ring = memory_allocate(options->slots * sizeof(*ring));
    for (uint32_t i = 0; i < roster->count; i++) {
        if (roster->entries[i].weight)
            order[active++] = (uint16_t)i;
    }
    qsort_r(order, active, sizeof(*order), compare_by_id, roster->entries);
    place_servers(input, order, ring);
    write_ring(input, order, ring, image_table(*image));
    free(ring);
    free(order);
    return 0;
}

static uint64_t classic_hash(const struct balance_image *image, struct view key,
                             struct balance_load *load)
{
    (void)load;
    return classic_hash_request(image->request_hash, key, image->slots);
}

static uint32_t classic_slot(const struct balance_image *image, uint64_t hash)
{
    return (uint32_t)(hash % image->slots);
}

static struct clockwise ring_of(const struct balance_image *image, uint32_t slot)
{
    const struct classic *table = image_table_of(image);
    const uint32_t *firsts = (const uint32_t *)((const char *)table + table->firsts);

    return (struct clockwise){(const uint16_t *)((const char *)table + table->owners),
                              table->servers, firsts[slot]};
}

static unsigned classic_owner(const struct balance_image *image, uint64_t hash, unsigned rank,
                              const struct balance_load *load)
{
    struct clockwise ring = ring_of(image, classic_slot(image, hash));

    (void)load;
    return clockwise_owner(&ring, rank);
}

static unsigned classic_pick(const struct balance_image *image, uint64_t hash,
                             const struct balance_load *load, balance_may_use_fn may_use,
                             void *context, unsigned *rank)
{
    struct clockwise ring = ring_of(image, classic_slot(image, hash));

    (void)load;
    return clockwise_pick(&ring, may_use, context, rank);
}

static unsigned classic_slot_owner(const struct balance_image *image, uint32_t slot)
{
    struct clockwise ring = ring_of(image, slot);

    return clockwise_owner(&ring, 0);
}

static int classic_virtual(const struct balance_image *image, uint64_t hash)
{
    const struct classic *table = image_table_of(image);
    struct clockwise ring = ring_of(image, classic_slot(image, hash));

    if (ring.size == 0)
        return -ENOENT;
    return (int)((const uint32_t *)((const char *)table + table->numbers))[ring.start];
}

const struct scheme classic_scheme = {
    .name = "classic",
    .is_keyed = true,
    .has_ids = true,
    .check = classic_check,
    .build = classic_build,
    .hash = classic_hash,
    .owner = classic_owner,
    .pick = classic_pick,
    .slot = classic_slot,
    .slot_owner = classic_slot_owner,
    .virtual_server = classic_virtual,
};
