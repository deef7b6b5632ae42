#include "balance/balance_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance/image.h"
#include "base/memory.h"

#define SAMPLES       65536u
#define SAMPLE_FIRST  100000u
#define SAMPLE_STRIDE 13u /* six digits, all of them */
#define NO_SHARE      UINT32_MAX
#define SQUARE_MAX    384 /* so many shares are counted pair by pair at once */

/* While it is being made: where each image's members are among the shares, nobody being the one
 * behind the last. */
struct ledger {
    struct balance_plan *plan;
    uint32_t *before;
    uint32_t *after;
    uint64_t *square; /* units by from and to; NULL where there are too many shares */
    size_t capacity;  /* of plan->moves */
};

struct named {
    const char *name;
    uint32_t index;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static struct named *sort_names(const struct balance_image *image)
{
    struct named *names = memory_allocate((image->count + 1) * sizeof(*names));

    for (uint32_t i = 0; i < image->count; i++)
        names[i] = (struct named){balance_name(image, i), i};
    qsort(names, image->count, sizeof(*names), compare_names);
    return names;
}

/* Shares of the members after, then of those that are only before. */
static void list_shares(struct ledger *ledger, const struct balance_image *before,
                        const struct balance_image *after)
{
    struct balance_plan *plan = ledger->plan;
    struct named *old = sort_names(before);
    struct named *new = sort_names(after);
    uint32_t at = 0;

    plan->shares = memory_allocate((before->count + after->count + 1) * sizeof(*plan->shares));
    ledger->before = memory_allocate((before->count + 1) * sizeof(*ledger->before));
    ledger->after = memory_allocate((after->count + 1) * sizeof(*ledger->after));
    plan->share_count = after->count;
    for (uint32_t i = 0; i < after->count; i++) {
        plan->shares[i].name = balance_name(after, i);
        ledger->after[i] = i;
    }
    for (uint32_t i = 0; i < before->count; i++) {
        while (at < after->count && strcmp(new[at].name, old[i].name) < 0)
            at++;
        ledger->before[old[i].index] = NO_SHARE;
        if (at < after->count && strcmp(new[at].name, old[i].name) == 0)
            ledger->before[old[i].index] = new[at].index;
    }
    for (uint32_t i = 0; i < before->count; i++) {
        if (ledger->before[i] != NO_SHARE)
            continue;
        plan->shares[plan->share_count].name = balance_name(before, i);
        ledger->before[i] = (uint32_t)plan->share_count++;
    }
    free(old);
    free(new);
}

static void append_move(struct ledger *ledger, unsigned from, unsigned to, uint64_t units)
{
    struct balance_plan *plan = ledger->plan;

    if (plan->move_count == ledger->capacity) {
        ledger->capacity = ledger->capacity ? ledger->capacity * 2 : 256;
        plan->moves = memory_resize(plan->moves, ledger->capacity * sizeof(*plan->moves));
    }
    plan->moves[plan->move_count++] = (struct balance_move){from, to, units};
}

static inline void add_units(struct ledger *ledger, unsigned old, unsigned new, uint64_t units)
{
    struct balance_plan *plan = ledger->plan;
    size_t nobody = plan->share_count;
    size_t from = old == BALANCE_NONE ? nobody : ledger->before[old];
    size_t to = new == BALANCE_NONE ? nobody : ledger->after[new];

    plan->units += units;
    plan->shares[from].before += units;
    plan->shares[to].after += units;
    if (LIKELY(from == to))
        return;
    plan->moved += units;
    if (ledger->square)
        ledger->square[from * (nobody + 1) + to] += units;
    else
        append_move(ledger, from == nobody ? BALANCE_NONE : (unsigned)from,
                    to == nobody ? BALANCE_NONE : (unsigned)to, units);
}

/* Sums up what was counted pair by pair only. */
static void add_square(struct ledger *ledger)
{
    struct balance_plan *plan = ledger->plan;
    size_t nobody = plan->share_count;

    for (size_t from = 0; from <= nobody; from++) {
        for (size_t to = 0; to <= nobody; to++) {
            uint64_t units = ledger->square[from * (nobody + 1) + to];

            plan->units += units;
            plan->shares[from].before += units;
            plan->shares[to].after += units;
            plan->moved += from == to ? 0 : units;
        }
    }
}

static void list_square(struct ledger *ledger)
{
    size_t nobody = ledger->plan->share_count;

    for (size_t from = 0; from <= nobody; from++) {
        for (size_t to = 0; to <= nobody; to++) {
            uint64_t units = ledger->square[from * (nobody + 1) + to];

            if (units && from != to)
                append_move(ledger, from == nobody ? BALANCE_NONE : (unsigned)from,
                            to == nobody ? BALANCE_NONE : (unsigned)to, units);
        }
    }
}

/* Sorts by one end, those of one kept in their order, nobody last: shares are few, moves many. */
static void sort_moves(struct balance_plan *plan, bool is_by_from)
{
    size_t nobody = plan->share_count;
    size_t *ends = memory_allocate((nobody + 2) * sizeof(*ends));
    struct balance_move *sorted = memory_allocate(plan->move_count * sizeof(*sorted));

    for (size_t i = 0; i < plan->move_count; i++) {
        unsigned end = is_by_from ? plan->moves[i].from : plan->moves[i].to;

        ends[end == BALANCE_NONE ? nobody + 1 : end + 1]++;
    }
    for (size_t i = 1; i <= nobody; i++)
        ends[i] += ends[i - 1];
    for (size_t i = 0; i < plan->move_count; i++) {
        unsigned end = is_by_from ? plan->moves[i].from : plan->moves[i].to;

        sorted[ends[end == BALANCE_NONE ? nobody : end]++] = plan->moves[i];
    }
    free(ends);
    free(plan->moves);
    plan->moves = sorted;
}

static void join_moves(struct balance_plan *plan)
{
    size_t kept = 0;

    if (plan->move_count == 0)
        return;
    sort_moves(plan, false);
    sort_moves(plan, true);
    for (size_t i = 1; i < plan->move_count; i++) {
        const struct balance_move *move = &plan->moves[i];

        if (plan->moves[kept].from == move->from && plan->moves[kept].to == move->to)
            plan->moves[kept].units += move->units;
        else
            plan->moves[++kept] = *move;
    }
    plan->move_count = kept + 1;
}

/* Slots of both, or of the finer where one has more (their numbers are powers of two then). */
static void compare_words(struct ledger *ledger, const struct balance_image *before,
                          const struct balance_image *after)
{
    const uint64_t *old = image_table_of(before);
    const uint64_t *new = image_table_of(after);
    uint32_t shift = before->shift < after->shift ? before->shift : after->shift;
    uint32_t slots = before->slots > after->slots ? before->slots : after->slots;
    size_t nobody = ledger->plan->share_count;

    for (uint32_t slot = 0; slot < slots; slot++) {
        unsigned from = old[slot >> (before->shift - shift)] & 0xffff;
        unsigned to = new[slot >> (after->shift - shift)] & 0xffff;
        size_t row = from == BALANCE_NONE ? nobody : ledger->before[from];
        size_t column = to == BALANCE_NONE ? nobody : ledger->after[to];

        if (ledger->square) /* those who stay too: no guess whether one does */
            ledger->square[row * (nobody + 1) + column]++;
        else
            add_units(ledger, from, to, 1);
    }
    if (ledger->square)
        add_square(ledger);
}

static void compare_slots(struct ledger *ledger, const struct balance_image *before,
                          const struct balance_image *after)
{
    for (uint32_t slot = 0; slot < before->slots; slot++)
        add_units(ledger, balance_slot_owner(before, slot), balance_slot_owner(after, slot), 1);
}

/* Runs of places with one owner, cut where either image has a border. */
static void compare_runs(struct ledger *ledger, const struct balance_image *before,
                         const struct balance_image *after, const struct scheme *scheme)
{
    uint64_t at = 0;

    while (at < scheme->places) {
        uint64_t old_end = scheme->places;
        uint64_t new_end = scheme->places;
        unsigned old = scheme->run(before, at, &old_end);
        unsigned new = scheme->run(after, at, &new_end);
        uint64_t end = old_end < new_end ? old_end : new_end;

        add_units(ledger, old, new, end - at);
        at = end;
    }
}

static void compare_samples(struct ledger *ledger, const struct balance_image *before,
                            const struct balance_image *after)
{
    ledger->plan->is_sampled = true;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        char key[16];
        int size = snprintf(key, sizeof(key), "%u", SAMPLE_FIRST + i * SAMPLE_STRIDE);
        struct view view = {key, (size_t)size};

        add_units(ledger, balance_owner(before, balance_hash(before, view, NULL), 0, NULL),
                  balance_owner(after, balance_hash(after, view, NULL), 0, NULL), 1);
    }
}

/* Whether a hash of one means the same in the other. */
static bool have_one_hash(const struct balance_image *before, const struct balance_image *after)
{
    return before->scheme == after->scheme && before->hash_version == after->hash_version &&
           before->request_hash == after->request_hash &&
           (before->slots == after->slots || (before->shift && after->shift)) &&
           memcmp(before->secret, after->secret, sizeof(before->secret)) == 0;
}

static void find_minimum(struct ledger *ledger, const struct balance_image *before,
                         const struct balance_image *after)
{
    struct balance_plan *plan = ledger->plan;
    uint32_t *weights = memory_allocate((plan->share_count + 1) * sizeof(*weights));
    uint64_t lost = 0;
    uint64_t gained = 0;

    for (uint32_t i = 0; i < before->count; i++)
        weights[ledger->before[i]] = balance_weight(before, i);
    for (size_t i = 0; i < plan->share_count; i++) {
        const struct balance_share *share = &plan->shares[i];
        uint32_t weight = i < after->count ? balance_weight(after, (unsigned)i) : 0;

        if (weight < weights[i] && share->after < share->before)
            lost += share->before - share->after;
        if (weight > weights[i] && share->after > share->before)
            gained += share->after - share->before;
    }
    free(weights);
    plan->minimum = lost > gained ? lost : gained;
    plan->excess = plan->moved - plan->minimum;
}

int balance_plan_make(const struct balance_image *before, const struct balance_image *after,
                      struct balance_plan *plan, struct error *why)
{
    const struct scheme *scheme = scheme_at(after->scheme);
    struct ledger ledger = {.plan = plan};

    if (!balance_is_keyed(before) || !balance_is_keyed(after))
        return error_set(why, -EINVAL, "%s places nothing by key: there is nothing to move",
                         balance_is_keyed(before) ? balance_scheme(after) : balance_scheme(before));
    *plan = (struct balance_plan){0};
    list_shares(&ledger, before, after);
    if (plan->share_count <= SQUARE_MAX)
        ledger.square = memory_allocate((plan->share_count + 1) * (plan->share_count + 1) *
                                        sizeof(*ledger.square));
    if (!have_one_hash(before, after))
        compare_samples(&ledger, before, after);
    else if (after->shift)
        compare_words(&ledger, before, after);
    else if (scheme->slot_owner)
        compare_slots(&ledger, before, after);
    else
        compare_runs(&ledger, before, after, scheme);
    if (ledger.square)
        list_square(&ledger);
    else
        join_moves(plan);
    find_minimum(&ledger, before, after);
    free(ledger.before);
    free(ledger.after);
    free(ledger.square);
    return 0;
}

void balance_plan_finish(struct balance_plan *plan)
{
    free(plan->shares);
    free(plan->moves);
    *plan = (struct balance_plan){0};
}
