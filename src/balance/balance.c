#include "balance/balance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "balance/digest.h"
#include "balance/digest_key.h"
#include "balance/image.h"

/* Most members that the default number of slots, and four times as many, are advised for. */
#define ADVISED_DEFAULT_MAX 100
#define ADVISED_MORE_MAX    300

static const struct scheme *scheme_of(const struct balance_image *image)
{
    return scheme_at(image->scheme);
}

int balance_check(struct balance_options *options, struct error *why)
{
    const struct scheme *scheme = scheme_find(options->scheme);

    if (!scheme)
        return error_set(why, -EINVAL, "there is no scheme \"%s\"", options->scheme);
    options->scheme = scheme->name;
    if (options->hash_version == 0)
        options->hash_version = BALANCE_HASH_VERSION;
    if (options->hash_version != BALANCE_HASH_VERSION)
        return error_set(why, -EINVAL, "hash-version is %u: expected %d", options->hash_version,
                         BALANCE_HASH_VERSION);
    if (options->cap > BALANCE_CAP_MAX && options->cap != BALANCE_CAP_OFF)
        return error_set(why, -EINVAL, "cap is %u.%02u %%: expected at most %d %% or off",
                         options->cap / 100, options->cap % 100, BALANCE_CAP_MAX / 100);
    return scheme->check(options, why);
}

int balance_build(const struct balance_options *options, const struct balance_member *members,
                  size_t count, struct balance_image **image, struct error *why)
{
    struct scheme_input input = {.options = *options, .members = members};
    struct balance_image *built = NULL;
    struct roster roster;
    const struct scheme *scheme;
    int answer = balance_check(&input.options, why);

    if (answer < 0)
        return answer;
    scheme = scheme_find(input.options.scheme);
    digest_secret(input.options.key, input.secret);
    answer = roster_init(&roster, input.secret, members, count, scheme->has_ids, why);
    if (answer < 0)
        return answer;
    input.roster = &roster;
    answer = scheme->build(&input, &built, why);
    roster_finish(&roster);
    if (answer == 0)
        *image = built;
    return answer;
}

void balance_destroy(struct balance_image *image)
{
    free(image);
}

size_t balance_image_bytes(const struct balance_image *image)
{
    return image->bytes;
}

const struct balance_image *balance_image_at(const void *bytes, size_t size)
{
    return image_at(bytes, size);
}

struct balance_digest balance_digest(const struct balance_image *image)
{
    return image->digest;
}

void balance_digest_text(struct balance_digest digest, char text[BALANCE_DIGEST_TEXT_BYTES])
{
    snprintf(text, BALANCE_DIGEST_TEXT_BYTES, "%016llx%016llx", (unsigned long long)digest.high,
             (unsigned long long)digest.low);
}

bool balance_digest_equals(struct balance_digest a, struct balance_digest b)
{
    return a.low == b.low && a.high == b.high;
}

uint32_t balance_slots_advised(size_t count)
{
    if (count <= ADVISED_DEFAULT_MAX)
        return BALANCE_SLOTS_DEFAULT;
    return count <= ADVISED_MORE_MAX ? 4 * BALANCE_SLOTS_DEFAULT : BALANCE_SLOTS_MAX;
}

const char *balance_scheme_name(unsigned number)
{
    const struct scheme *scheme = scheme_at(number);

    return scheme ? scheme->name : NULL;
}

const char *balance_scheme(const struct balance_image *image)
{
    return scheme_of(image)->name;
}

bool balance_is_keyed(const struct balance_image *image)
{
    return scheme_of(image)->is_keyed;
}

unsigned balance_count(const struct balance_image *image)
{
    return image->count;
}

const char *balance_name(const struct balance_image *image, unsigned member)
{
    return member < image->count ? (const char *)image + image_entries(image)[member].name : NULL;
}

uint32_t balance_weight(const struct balance_image *image, unsigned member)
{
    return member < image->count ? image_entries(image)[member].weight : 0;
}

uint64_t balance_hash(const struct balance_image *image, struct view key, struct balance_load *load)
{
    /* The default's scheme is asked directly: a look-up is a few nanoseconds and an indirect call
     * would be one of them. */
    if (LIKELY(image->shift != 0)) {
        uint64_t hash = digest_key(image->secret, key);

        /* The slot is asked for soon and is hardly ever in the cache. */
        __builtin_prefetch((const uint64_t *)image_table_of(image) + (hash >> image->shift));
        return hash;
    }
    return scheme_of(image)->hash(image, key, load);
}

unsigned balance_owner_slow(const struct balance_image *image, uint64_t hash, unsigned rank,
                            const struct balance_load *load)
{
    if (rank >= image->active)
        return BALANCE_NONE;
    return scheme_of(image)->owner(image, hash, rank, load);
}

static unsigned pick_by_rank(const struct balance_image *image, uint64_t hash,
                             const struct balance_load *load, balance_may_use_fn may_use,
                             void *context, unsigned *rank)
{
    for (unsigned i = 0; i < image->active; i++) {
        unsigned member = balance_owner(image, hash, i, load);

        if (!may_use(context, member))
            continue;
        *rank = i;
        return member;
    }
    return BALANCE_NONE;
}

unsigned balance_pick(const struct balance_image *image, uint64_t hash,
                      const struct balance_load *load, balance_may_use_fn may_use, void *context,
                      unsigned *rank)
{
    const struct scheme *scheme = scheme_of(image);
    unsigned unused;

    if (!rank)
        rank = &unused;
    if (!scheme->pick)
        return pick_by_rank(image, hash, load, may_use, context, rank);
    return scheme->pick(image, hash, load, may_use, context, rank);
}

uint32_t balance_slot(const struct balance_image *image, uint64_t hash)
{
    const struct scheme *scheme = scheme_of(image);

    return scheme->slot ? scheme->slot(image, hash) : 0;
}

uint32_t balance_slots(const struct balance_image *image)
{
    return scheme_of(image)->slot ? image->slots : 0;
}

unsigned balance_slot_owner(const struct balance_image *image, uint32_t slot)
{
    const struct scheme *scheme = scheme_of(image);

    return scheme->slot_owner && slot < image->slots ? scheme->slot_owner(image, slot)
                                                     : BALANCE_NONE;
}

int balance_virtual(const struct balance_image *image, uint64_t hash)
{
    const struct scheme *scheme = scheme_of(image);

    return scheme->virtual_server ? scheme->virtual_server(image, hash) : -ENOENT;
}

bool balance_is_over_bound(const struct balance_image *image, const struct balance_load *load,
                           unsigned member, uint32_t bound, uint32_t floor)
{
    uint64_t limit;

    if (bound == BALANCE_BOUND_OFF || !load->in_flight || image->weights == 0)
        return false;
    /* ceil(bound/100 · (total + 1) · w / Σw), in 128 bits so that no total can wrap it. */
    unsigned __int128 divisor = (unsigned __int128)100 * image->weights;
    unsigned __int128 share =
        (unsigned __int128)bound * (load->total + 1) * balance_weight(image, member);

    share = (share + divisor - 1) / divisor;
    limit = share > UINT32_MAX ? UINT32_MAX : (uint64_t)share;
    return load->in_flight[member] >= (limit > floor ? limit : floor);
}
