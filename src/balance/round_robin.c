/*
 * In turn. The table is one cycle of turns: every member as often as its weight has it, spread as
 * evenly as it goes, which is by the middle of each of its parts of the cycle. A turn that may not
 * be used goes to another member each cycle, so that the neighbours of one that is down share it.
 */
#include <stdlib.h>
#include <string.h>

#include "balance/image.h"
#include "base/memory.h"

#define CYCLE_MAX 65536 /* weights that sum to more are scaled down to about this */

struct round_robin {
    uint32_t turns;
    uint32_t cycle;  /* offset of uint16_t[turns]: who is on */
    uint32_t others; /* uint16_t[active]: all by name */
    uint32_t places; /* uint16_t[count]: where each member is among them */
};

/* One turn of a member: number `k` of `weight`. `order` is its place by name. */
struct turn {
    uint32_t k;
    uint32_t weight;
    uint16_t order;
};

static int round_robin_check(struct balance_options *options, struct error *why)
{
    (void)why;
    options->slots = 0;
    options->cap = 0;
    memset(options->key, 0, sizeof(options->key));
    options->virtual_servers = 0;
    options->request_hash = NULL;
    options->server_hash = NULL;
    return 0;
}

/* (2k + 1) / 2w is the middle of the k-th of w parts. */
static int compare_turns(const void *a, const void *b)
{
    const struct turn *x = a;
    const struct turn *y = b;
    uint64_t left = (2 * (uint64_t)x->k + 1) * y->weight;
    uint64_t right = (2 * (uint64_t)y->k + 1) * x->weight;

    if (left != right)
        return left < right ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* How many turns a cycle has for a weight. */
static uint32_t scale(uint32_t weight, uint32_t divisor, uint64_t sum)
{
    uint64_t turns = weight / divisor;

    if (sum / divisor <= CYCLE_MAX)
        return (uint32_t)turns;
    turns = ((uint64_t)weight * CYCLE_MAX + sum / 2) / sum;
    return turns ? (uint32_t)turns : 1;
}

static uint32_t list_turns(const struct roster *roster, const uint16_t *order, struct turn *turns)
{
    uint32_t divisor = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < roster->active; i++)
        divisor = common_divisor(roster->entries[order[i]].weight, divisor);
    for (uint32_t i = 0; i < roster->active; i++) {
        uint32_t weight = scale(roster->entries[order[i]].weight, divisor, roster->weights);

        for (uint32_t k = 0; k < weight; k++)
            turns[count++] = (struct turn){k, weight, (uint16_t)i};
    }
    return count;
}

static int write_table(const struct scheme_input *input, const uint16_t *order,
                       const struct turn *turns, uint32_t count, struct balance_image **image,
                       struct error *why)
{
    struct round_robin head = {.turns = count, .cycle = sizeof(head)};
    uint16_t *cycle;
    uint16_t *others;
    uint16_t *places;
    int answer;

    head.others = head.cycle + count * (uint32_t)sizeof(uint16_t);
    head.places = head.others + input->roster->active * (uint32_t)sizeof(uint16_t);
    answer = image_create(input, head.places + input->roster->count * sizeof(uint16_t), image, why);
    if (answer < 0)
        return answer;
    memcpy(image_table(*image), &head, sizeof(head));
    cycle = (uint16_t *)((char *)image_table(*image) + head.cycle);
    others = (uint16_t *)((char *)image_table(*image) + head.others);
    places = (uint16_t *)((char *)image_table(*image) + head.places);
    for (uint32_t i = 0; i < count; i++)
        cycle[i] = order[turns[i].order];
    for (uint32_t i = 0; i < input->roster->active; i++) {
        others[i] = order[i];
        places[order[i]] = (uint16_t)i;
    }
    return 0;
}

static int round_robin_build(const struct scheme_input *input, struct balance_image **image,
                             struct error *why)
{
    const struct roster *roster = input->roster;
    uint16_t *order = memory_allocate((roster->active + 1) * sizeof(*order));
    struct turn *turns = memory_allocate((CYCLE_MAX + 2 * roster->active + 1) * sizeof(*turns));
    uint32_t count;
    int answer;

    roster_sort(roster, input->members, order);
    count = list_turns(roster, order, turns);
    qsort(turns, count, sizeof(*turns), compare_turns);
    answer = write_table(input, order, turns, count, image, why);
    free(turns);
    free(order);
    return answer;
}

static uint64_t round_robin_hash(const struct balance_image *image, struct view key,
                                 struct balance_load *load)
{
    (void)image;
    (void)key;
    return load ? load->turn++ : 0;
}

static unsigned round_robin_owner(const struct balance_image *image, uint64_t hash, unsigned rank,
                                  const struct balance_load *load)
{
    const struct round_robin *table = image_table_of(image);
    const uint16_t *cycle = (const uint16_t *)((const char *)table + table->cycle);
    const uint16_t *others = (const uint16_t *)((const char *)table + table->others);
    const uint16_t *places = (const uint16_t *)((const char *)table + table->places);
    unsigned owner = cycle[hash % table->turns];
    uint32_t rest = image->active - 1;
    uint32_t step;

    (void)load;
    if (rank == 0)
        return owner;
    step = (uint32_t)((hash / table->turns + rank - 1) % rest);
    return others[(places[owner] + 1 + step) % image->active];
}

const struct scheme round_robin_scheme = {
    .name = "round-robin",
    .check = round_robin_check,
    .build = round_robin_build,
    .hash = round_robin_hash,
    .owner = round_robin_owner,
};
