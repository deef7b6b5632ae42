#include "balance/balance_builder.h"

#include <stdlib.h>

#include "balance/digest.h"
#include "balance/image.h"
#include "balance/slot_hrw.h"
#include "balance/slot_settle.h"
#include "balance/slot_trial.h"
#include "base/memory.h"

struct balance_builder {
    struct scheme_input input; /* options and secret; the rest is set for each build */
    const struct scheme *scheme;
    struct slot_table *table; /* slot-hrw only, else NULL */
    struct balance_image *image;
    struct balance_image *spare; /* the one before, or where a plan put its trial */
    bool has_previous;
};

int balance_builder_create(const struct balance_options *options, struct balance_builder **builder,
                           struct error *why)
{
    struct balance_builder *made = memory_allocate(sizeof(*made));
    int answer;

    made->input.options = *options;
    answer = balance_check(&made->input.options, why);
    if (answer < 0)
        goto fail;
    made->scheme = scheme_find(made->input.options.scheme);
    digest_secret(made->input.options.key, made->input.secret);
    if (made->scheme == &slot_hrw_scheme)
        made->table = slot_table_create(slot_hrw_bits(made->input.options.slots), SLOT_KEPT,
                                        made->input.secret);
    answer = balance_builder_set(made, NULL, 0, why);
    if (answer < 0)
        goto fail;
    made->has_previous = false;
    *builder = made;
    return 0;

fail:
    balance_builder_destroy(made);
    return answer;
}

void balance_builder_destroy(struct balance_builder *builder)
{
    if (!builder)
        return;
    slot_table_destroy(builder->table);
    balance_destroy(builder->image);
    balance_destroy(builder->spare);
    free(builder);
}

/* Schemes other than slot-hrw: the whole anew, into a new image. */
static int rebuild(struct balance_builder *builder, struct error *why)
{
    struct balance_image *built = NULL;
    int answer = builder->scheme->build(&builder->input, &built, why);

    if (answer < 0)
        return answer;
    balance_destroy(builder->spare);
    builder->spare = built;
    return 0;
}

static int set_table(struct balance_builder *builder, struct error *why)
{
    int answer = slot_hrw_prepare(&builder->input, &builder->spare, why);

    if (answer < 0)
        return answer;
    slot_table_set(builder->table, builder->input.roster);
    slot_settle(builder->table, builder->input.options.cap, image_table(builder->spare));
    return 0;
}

int balance_builder_set(struct balance_builder *builder, const struct balance_member *members,
                        size_t count, struct error *why)
{
    struct balance_image *before = builder->image;
    struct roster roster;
    int answer =
        roster_init(&roster, builder->input.secret, members, count, builder->scheme->has_ids, why);

    if (answer < 0)
        return answer;
    builder->input.members = members;
    builder->input.roster = &roster;
    builder->has_previous = false;
    answer = builder->table ? set_table(builder, why) : rebuild(builder, why);
    roster_finish(&roster);
    if (answer < 0)
        return answer;
    builder->image = builder->spare;
    builder->spare = before;
    builder->has_previous = before != NULL;
    return 0;
}

const struct balance_image *balance_builder_image(const struct balance_builder *builder)
{
    return builder->image;
}

const struct balance_image *balance_builder_previous(const struct balance_builder *builder)
{
    return builder->has_previous ? builder->spare : NULL;
}

/* The trial's owners into the spare image, the table left as it is. */
static int try_table(struct balance_builder *builder, struct error *why)
{
    const struct roster *roster = builder->input.roster;
    struct slot_difference difference = slot_table_compare(builder->table, roster);
    int answer;

    if (difference.other && !slot_table_is_few(builder->table, difference))
        return rebuild(builder, why);
    answer = slot_hrw_prepare(&builder->input, &builder->spare, why);
    if (answer < 0)
        return answer;
    slot_trial(builder->table, roster, builder->input.options.cap, image_table(builder->spare));
    return 0;
}

int balance_builder_plan(struct balance_builder *builder, const struct balance_member *members,
                         size_t count, struct balance_plan *plan, struct error *why)
{
    struct roster roster;
    int answer =
        roster_init(&roster, builder->input.secret, members, count, builder->scheme->has_ids, why);

    if (answer < 0)
        return answer;
    builder->input.members = members;
    builder->input.roster = &roster;
    builder->has_previous = false;
    answer = builder->table ? try_table(builder, why) : rebuild(builder, why);
    roster_finish(&roster);
    if (answer < 0)
        return answer;
    return balance_plan_make(builder->image, builder->spare, plan, why);
}
