/*
 * A list of members that changes: names of its own, ids as the pool gives them.
 * Owner: the struct it is embedded in.
 */
#pragma once

#include "ring/ring_options.h"

struct ring_members {
    struct balance_member *items;
    size_t count;
    size_t capacity;
};

/* A copy of those the command line lists. */
void ring_members_init(struct ring_members *members, const struct ring_options *options);
void ring_members_finish(struct ring_members *members);

/* One more of weight 1, with the smallest id from 1 on that nobody has. -EEXIST, -E2BIG, -EINVAL
 * with a sentence. */
MUST_USE int ring_members_add(struct ring_members *members, struct view name, struct error *why);

/* -ENOENT with a sentence. */
MUST_USE int ring_members_remove(struct ring_members *members, struct view name, struct error *why);

/* Adds or removes each of a list with commas; NULL is the empty one. */
MUST_USE int ring_members_add_all(struct ring_members *members, const char *list,
                                  struct error *why);
MUST_USE int ring_members_remove_all(struct ring_members *members, const char *list,
                                     struct error *why);
