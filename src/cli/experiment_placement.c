#include "cli/experiment_placement.h"

#include <errno.h>

#include "base/clock.h"

#define KEY_BYTES    8
#define TIMED_KEYS   4096
#define TIMED_ROUNDS 100
#define TIMED_TRIES  3
#define NS_PER_US    1000.0

static struct view key_text(uint32_t key, char text[KEY_BYTES])
{
    return (struct view){text, (size_t)snprintf(text, KEY_BYTES, "%u", key)};
}

/* Counted, not estimated: the classic functions are nothing like even over slots. */
static void count_shares(struct experiment_placement *placement)
{
    char text[KEY_BYTES];

    for (uint32_t i = 0; i < EXPERIMENT_KEY_COUNT; i++) {
        unsigned owner =
            experiment_placement_owner(placement, key_text(EXPERIMENT_KEY_FIRST + i, text));

        if (owner != BALANCE_NONE)
            placement->shares[owner] += 1.0 / EXPERIMENT_KEY_COUNT;
    }
}

int experiment_placement_build(struct experiment_placement *placement,
                               const struct experiment_scheme *scheme, unsigned count,
                               struct error *why)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_member members[EXPERIMENT_REPLICAS_MAX] = {0};
    int result;

    *placement = (struct experiment_placement){.count = count};
    if (count > EXPERIMENT_REPLICAS_MAX)
        return error_set(why, -E2BIG, "at most %d replicas", EXPERIMENT_REPLICAS_MAX);
    options.scheme = scheme->scheme;
    options.request_hash = scheme->request_hash;
    options.server_hash = scheme->server_hash;
    for (unsigned i = 0; i < count; i++) {
        snprintf(placement->names[i], sizeof(placement->names[i]), "Server %u", i + 1);
        members[i] = (struct balance_member){placement->names[i], 1, i + 1};
    }
    result = balance_build(&options, members, count, &placement->image, why);
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
    placement->image = NULL;
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
    char text[KEY_BYTES];

    for (uint32_t i = 0; i < EXPERIMENT_KEY_COUNT; i++) {
        struct view key = key_text(EXPERIMENT_KEY_FIRST + i, text);
        unsigned from = experiment_placement_owner(before, key);
        unsigned to = experiment_placement_owner(after, key);

        moved += from != to;
        idly += from != to && from < both && to < both;
    }
    *excess = (double)idly / EXPERIMENT_KEY_COUNT;
    return (double)moved / EXPERIMENT_KEY_COUNT;
}

static uint64_t time_once(const struct balance_image *image, char (*texts)[KEY_BYTES])
{
    struct balance_load load = {0};
    uint64_t start_us = clock_now_us();
    volatile unsigned seen = 0;

    for (unsigned round = 0; round < TIMED_ROUNDS; round++) {
        for (unsigned i = 0; i < TIMED_KEYS; i++) {
            uint64_t hash = balance_hash(image, (struct view){texts[i], 6}, &load);

            seen += balance_owner(image, hash, 0, &load);
        }
    }
    return clock_now_us() - start_us;
}

double experiment_placement_lookup_ns(const struct experiment_placement *placement)
{
    char texts[TIMED_KEYS][KEY_BYTES];
    uint64_t best_us = UINT64_MAX;

    for (uint32_t i = 0; i < TIMED_KEYS; i++)
        key_text(EXPERIMENT_KEY_FIRST + i * (EXPERIMENT_KEY_COUNT / TIMED_KEYS), texts[i]);
    /* The least disturbed of a few is the nearest to the truth. */
    for (int i = 0; i < TIMED_TRIES; i++) {
        uint64_t took_us = time_once(placement->image, texts);

        if (took_us < best_us)
            best_us = took_us;
    }
    return (double)best_us * NS_PER_US / ((double)TIMED_ROUNDS * TIMED_KEYS);
}
