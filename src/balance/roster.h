/*
 * The members of one build, checked and hashed: names unique and short enough, weights in range.
 * Owner: the struct it is embedded in.
 */
#pragma once

#include "balance/balance.h"

struct roster {
    struct balance_entry *entries; /* as given; `name` is unset */
    uint32_t count;
    uint32_t active;           /* with a weight */
    uint64_t weights;          /* their sum */
    uint32_t name_bytes;       /* all names with their zeros */
    struct balance_digest sum; /* of the active members, whatever their order */
    uint32_t *places;          /* open hash table from `low` to index + 1 */
    uint32_t places_mask;
};

/*
 * Takes note of the members. On failure (-EINVAL, -EEXIST, -E2BIG with a sentence) there is nothing
 * to finish. `with_ids`: ids identify and must be unique too, weights count as 0 and 1.
 */
MUST_USE int roster_init(struct roster *roster, const uint8_t secret[BALANCE_SECRET_BYTES],
                         const struct balance_member *members, size_t count, bool with_ids,
                         struct error *why);

/* Frees what it holds; harmless on one of zeros. */
void roster_finish(struct roster *roster);

/* The index of the member whose name hashes to `low`, or BALANCE_NONE. */
unsigned roster_find(const struct roster *roster, uint64_t low);

/* Indexes of the members that have a weight, by name. `order` has room for roster->active. */
void roster_sort(const struct roster *roster, const struct balance_member *members,
                 uint16_t *order);
