#include "experiment/experiment_placement.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

#define KEY_DIGITS   6
#define TIMED_KEYS   4096
#define TIMED_ROUNDS 40
#define TIMED_TRIES  3
#define NS_PER_US    1000.0

/* The digits of a key, without printf(): there are many. */
static struct view key_text(uint32_t key, char text[KEY_DIGITS])
{
    for (int i = KEY_DIGITS - 1; i >= 0; i--) {
        text[i] = (char)('0' + key % 10);
        key /= 10;
    }
    return (struct view){text, KEY_DIGITS};
}

/* Counted, not estimated: the classic functions are nothing like even over slots. */
static void count_shares(struct experiment_placement *placement)
{
    uint32_t counts[EXPERIMENT_REPLICAS_MAX] = {0};
    char text[KEY_DIGITS];

    placement->owners = memory_allocate(EXPERIMENT_KEY_COUNT);
    for (uint32_t i = 0; i < EXPERIMENT_KEY_COUNT; i++) {
        unsigned owner =
            experiment_placement_owner(placement, key_text(EXPERIMENT_KEY_FIRST + i, text));

        placement->owners[i] = owner < placement->count ? (uint8_t)owner : UINT8_MAX;
        if (owner < placement->count)
            counts[owner]++;
    }
    for (unsigned i = 0; i < placement->count; i++)
        placement->shares[i] = (double)counts[i] / EXPERIMENT_KEY_COUNT;
}

static int build_image(const struct experiment_scheme *scheme, unsigned count,
                       char (*names)[EXPERIMENT_NAME_BYTES], struct balance_image **image,
                       struct error *why)
{
    struct balance_member members[EXPERIMENT_REPLICAS_MAX] = {0};
    struct balance_options options = BALANCE_OPTIONS;

    if (count > EXPERIMENT_REPLICAS_MAX)
        return error_set(why, -E2BIG, "at most %d replicas", EXPERIMENT_REPLICAS_MAX);
    options.scheme = scheme->scheme;
    options.request_hash = scheme->request_hash;
    options.server_hash = scheme->server_hash;
    for (unsigned i = 0; i < count; i++) {
        snprintf(names[i], EXPERIMENT_NAME_BYTES, "Server %u", i + 1);
        members[i] = (struct balance_member){names[i], 1, i + 1};
    }
    return balance_build(&options, members, count, image, why);
}

int experiment_placement_build(struct experiment_placement *placement,
                               const struct experiment_scheme *scheme, unsigned count,
                               struct error *why)
{
    int result;

    *placement = (struct experiment_placement){.count = count};
    result = build_image(scheme, count, placement->names, &placement->image, why);
    if (result < 0)
        return result;
    placement->is_keyed = balance_is_keyed(placement->image);
    for (unsigned i = 0; i < count && !placement->is_keyed; i++)
        placement->shares[i] = 1.0 / count;
    if (placement->is_keyed)
        count_shares(placement);
    return 0;
}

void experiment_placement_finish(struct experiment_placement *placement)
{
    balance_destroy(placement->image);
    free(placement->owners);
    placement->image = NULL;
    placement->owners = NULL;
}

unsigned experiment_placement_owner(const struct experiment_placement *placement, struct view key)
{
    return balance_owner(placement->image, balance_hash(placement->image, key, NULL), 0, NULL);
}

double experiment_placement_moved(const struct experiment_placement *before,
                                  const struct experiment_placement *after, double *excess)
{
    unsigned both = before->count < after->count ? before->count : after->count;
    uint32_t moved = 0;
    uint32_t idly = 0;

    for (uint32_t i = 0; i < EXPERIMENT_KEY_COUNT; i++) {
        unsigned from = before->owners[i];
        unsigned to = after->owners[i];

        moved += from != to;
        idly += from != to && from < both && to < both;
    }
    *excess = (double)idly / EXPERIMENT_KEY_COUNT;
    return (double)moved / EXPERIMENT_KEY_COUNT;
}

static uint64_t time_once(const struct balance_image *image, char (*texts)[KEY_DIGITS])
{
    struct balance_load load = {0};
    uint64_t start_us = clock_now_us();
    volatile unsigned seen = 0;

    for (unsigned round = 0; round < TIMED_ROUNDS; round++) {
        for (unsigned i = 0; i < TIMED_KEYS; i++) {
            uint64_t hash = balance_hash(image, (struct view){texts[i], KEY_DIGITS}, &load);

            seen += balance_owner(image, hash, 0, &load);
        }
    }
    (void)seen;
    return clock_now_us() - start_us;
}

int experiment_placement_lookup_ns(const struct experiment_scheme *scheme, unsigned count,
                                   double *ns, struct error *why)
{
    char names[EXPERIMENT_REPLICAS_MAX][EXPERIMENT_NAME_BYTES];
    char texts[TIMED_KEYS][KEY_DIGITS];
    struct balance_image *image;
    uint64_t best_us = UINT64_MAX;
    int result = build_image(scheme, count, names, &image, why);

    if (result < 0)
        return result;
    for (uint32_t i = 0; i < TIMED_KEYS; i++)
        key_text(EXPERIMENT_KEY_FIRST + i * (EXPERIMENT_KEY_COUNT / TIMED_KEYS), texts[i]);
    /* The least disturbed of a few is the nearest to the truth. */
    for (int i = 0; i < TIMED_TRIES; i++) {
        uint64_t took_us = time_once(image, texts);

        if (took_us < best_us)
            best_us = took_us;
    }
    *ns = (double)best_us * NS_PER_US / ((double)TIMED_ROUNDS * TIMED_KEYS);
    balance_destroy(image);
    return 0;
}
