/*
 * Builds one image after the other as the members change: with slot-hrw a change of one member
 * costs a fraction of a build and gives the same bytes.
 * Owner: whoever called balance_builder_create(); ends with balance_builder_destroy().
 */
#pragma once

#include "balance/balance.h"
#include "balance/balance_plan.h"

struct balance_builder;

/* A builder without members. `options` is copied. Fails as balance_build(). */
MUST_USE int balance_builder_create(const struct balance_options *options,
                                    struct balance_builder **builder, struct error *why);

/* NULL is harmless. */
void balance_builder_destroy(struct balance_builder *builder);

/* Makes the members those of the list. Fails as balance_build(); the present image stays then. */
MUST_USE int balance_builder_set(struct balance_builder *builder,
                                 const struct balance_member *members, size_t count,
                                 struct error *why);

/* The image of the present members, and the one before it (NULL after create). Both belong to the
 * builder; an image is valid until the second balance_builder_set() or _plan() after its own. */
const struct balance_image *balance_builder_image(const struct balance_builder *builder);
const struct balance_image *balance_builder_previous(const struct balance_builder *builder);

/*
 * What balance_builder_set() with these members would move, without doing it. The names in `plan`
 * are valid until the next call of the builder; the previous image is gone. Fails as
 * balance_build() and balance_plan_make().
 */
MUST_USE int balance_builder_plan(struct balance_builder *builder,
                                  const struct balance_member *members, size_t count,
                                  struct balance_plan *plan, struct error *why);
