/*
 * A ring of points as `hash ... consistent` of nginx (and Cache::Memcached::Fast before it) makes
 * it: 160 points for each unit of weight, each point the CRC-32 of host, a zero byte, port and the
 * point before it. A key belongs to the first point at or after its own CRC-32. Of two points with
 * the same place the one of the lesser name stays, so that order does not matter here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balance/clockwise.h"
#include "balance/crc32.h"
#include "balance/image.h"
#include "base/memory.h"

#define POINTS_PER_WEIGHT 160
#define WEIGHTS_MAX       26214 /* 4 million points */
#define RADIX_BITS        8
#define RADIX             (1u << RADIX_BITS)
#define RADIX_PASSES      4

struct point {
    uint32_t place;
    uint16_t member;
};

/* What stands at the start of the table; the arrays follow one after the other. */
struct ketama {
    uint32_t points;
    uint32_t shift;  /* a place shifted by it is its bucket */
    uint32_t firsts; /* offset of uint32_t[buckets]: the first point of the bucket or after it */
    uint32_t places; /* uint32_t[points], rising */
    uint32_t owners; /* uint16_t[points] */
};

static int ketama_check(struct balance_options *options, struct error *why)
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

/* Host and port of a name that ends in a colon and digits; all of another is its host. */
static void split_name(struct view name, struct view *host, struct view *port)
{
    size_t colon = name.size;

    *host = name;
    *port = view_of("");
    if (view_equals_nocase(view_first(name, 5), VIEW("unix:"))) {
        *host = view_after(name, 5);
        return;
    }
    while (colon > 0 && name.data[colon - 1] >= '0' && name.data[colon - 1] <= '9')
        colon--;
    if (colon == 0 || name.data[colon - 1] != ':')
        return;
    *host = view_first(name, colon - 1);
    *port = view_after(name, colon);
}

static uint32_t add_points(struct point *points, uint32_t count, const char *name, uint32_t weight,
                           uint16_t member)
{
    struct view host;
    struct view port;
    uint32_t base;
    uint32_t place = 0;

    split_name(view_of(name), &host, &port);
    base = crc32_add(crc32_add(crc32_add(0, host), (struct view){"", 1}), port);
    for (uint32_t i = 0; i < weight * POINTS_PER_WEIGHT; i++) {
        const char bytes[4] = {(char)place, (char)(place >> 8), (char)(place >> 16),
                               (char)(place >> 24)};

        place = crc32_add(base, (struct view){bytes, sizeof(bytes)});
        points[count++] = (struct point){place, member};
    }
    return count;
}

/* Least byte first, each pass stable: points of one place stay in the order of names. */
static void sort_points(struct point *points, uint32_t count)
{
    struct point *other = memory_allocate(count * sizeof(*other));
    struct point *from = points;
    struct point *to = other;

    for (unsigned pass = 0; pass < RADIX_PASSES; pass++) {
        uint32_t starts[RADIX] = {0};
        uint32_t sum = 0;
        struct point *kept = from;

        for (uint32_t i = 0; i < count; i++)
            starts[from[i].place >> (pass * RADIX_BITS) & (RADIX - 1)]++;
        for (unsigned digit = 0; digit < RADIX; digit++) {
            uint32_t size = starts[digit];

            starts[digit] = sum;
            sum += size;
        }
        for (uint32_t i = 0; i < count; i++)
            to[starts[from[i].place >> (pass * RADIX_BITS) & (RADIX - 1)]++] = from[i];
        from = to;
        to = kept;
    }
    free(other);
}

static uint32_t drop_twins(struct point *points, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || points[kept - 1].place != points[i].place)
            points[kept++] = points[i];
    }
    return kept;
}

static unsigned bucket_bits(uint32_t points)
{
    unsigned bits = 1;

    while ((UINT32_C(1) << bits) < points)
        bits++;
    return bits;
}

static int write_table(const struct scheme_input *input, const struct point *points, uint32_t count,
                       struct balance_image **image, struct error *why)
{
    unsigned bits = bucket_bits(count);
    struct ketama head = {.points = count, .shift = 32 - bits, .firsts = sizeof(head)};
    uint32_t *firsts;
    uint32_t *places;
    uint16_t *owners;
    uint32_t at = 0;
    int answer;

    head.places = head.firsts + (sizeof(uint32_t) << bits);
    head.owners = head.places + count * (uint32_t)sizeof(uint32_t);
    answer = image_create(input, head.owners + count * sizeof(uint16_t), image, why);
    if (answer < 0)
        return answer;
    memcpy(image_table(*image), &head, sizeof(head));
    firsts = (uint32_t *)((char *)image_table(*image) + head.firsts);
    places = (uint32_t *)((char *)image_table(*image) + head.places);
    owners = (uint16_t *)((char *)image_table(*image) + head.owners);
    for (uint32_t bucket = 0; bucket < UINT32_C(1) << bits; bucket++) {
        while (at < count && points[at].place >> head.shift < bucket)
            at++;
        firsts[bucket] = at;
    }
    for (uint32_t i = 0; i < count; i++) {
        places[i] = points[i].place;
        owners[i] = points[i].member;
    }
    return 0;
}

static int ketama_build(const struct scheme_input *input, struct balance_image **image,
                        struct error *why)
{
    const struct roster *roster = input->roster;
    uint16_t *order;
    struct point *points;
    uint32_t count = 0;
    int answer;

    if (roster->weights > WEIGHTS_MAX)
        return error_set(why, -E2BIG, "the weights sum to %llu: ketama has room for %d",
                         (unsigned long long)roster->weights, WEIGHTS_MAX);
    order = memory_allocate((roster->active + 1) * sizeof(*order));
    points = memory_allocate((roster->weights * POINTS_PER_WEIGHT + 1) * sizeof(*points));
    roster_sort(roster, input->members, order);
    for (uint32_t i = 0; i < roster->active; i++)
        count = add_points(points, count, input->members[order[i]].name,
                           roster->entries[order[i]].weight, order[i]);
    sort_points(points, count);
    count = drop_twins(points, count);
    answer = write_table(input, points, count, image, why);
    free(points);
    free(order);
    return answer;
}

static uint64_t ketama_hash(const struct balance_image *image, struct view key,
                            struct balance_load *load)
{
    (void)image;
    (void)load;
    return crc32_add(0, key);
}

static struct clockwise find_point(const struct balance_image *image, uint64_t hash)
{
    const struct ketama *table = image_table_of(image);
    const uint32_t *firsts = (const uint32_t *)((const char *)table + table->firsts);
    const uint32_t *places = (const uint32_t *)((const char *)table + table->places);
    uint32_t at = firsts[(uint32_t)hash >> table->shift];

    while (at < table->points && places[at] < (uint32_t)hash)
        at++;
    return (struct clockwise){(const uint16_t *)((const char *)table + table->owners),
                              table->points, at < table->points ? at : 0};
}

static unsigned ketama_owner(const struct balance_image *image, uint64_t hash, unsigned rank,
                             const struct balance_load *load)
{
    struct clockwise ring = find_point(image, hash);

    (void)load;
    return clockwise_owner(&ring, rank);
}

static unsigned ketama_pick(const struct balance_image *image, uint64_t hash,
                            const struct balance_load *load, balance_may_use_fn may_use,
                            void *context, unsigned *rank)
{
    struct clockwise ring = find_point(image, hash);

    (void)load;
    return clockwise_pick(&ring, may_use, context, rank);
}

static unsigned ketama_run(const struct balance_image *image, uint64_t at, uint64_t *end)
{
    const struct ketama *table = image_table_of(image);
    const uint32_t *places = (const uint32_t *)((const char *)table + table->places);
    struct clockwise ring;

    if (table->points == 0)
        return BALANCE_NONE;
    ring = find_point(image, at);
    if (places[ring.start] >= at)
        *end = places[ring.start] + UINT64_C(1);
    return ring.owners[ring.start];
}

const struct scheme ketama_scheme = {
    .name = "ketama",
    .is_keyed = true,
    .check = ketama_check,
    .build = ketama_build,
    .hash = ketama_hash,
    .owner = ketama_owner,
    .pick = ketama_pick,
    .places = UINT64_C(1) << 32,
    .run = ketama_run,
};
