/*
 * How often each name was seen: names come from answers, so their number has a limit.
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdint.h>

#include "base/view.h"

#define LOAD_TALLY_NAME_BYTES 64
#define LOAD_TALLY_MAX        2048
#define LOAD_TALLY_NONE       UINT16_MAX /* no name, or one too many */

struct load_tally_entry {
    char name[LOAD_TALLY_NAME_BYTES]; /* zero-ended */
    uint64_t count;
};

struct load_tally {
    struct load_tally_entry *entries; /* in the order of their first sight */
    uint16_t *places;                 /* hash table: index + 1 */
    unsigned count;
};

void load_tally_init(struct load_tally *tally);
void load_tally_finish(struct load_tally *tally);

/* The entry of that name, made with a count of 0 where there was none; a long name is cut.
 * LOAD_TALLY_NONE past the limit and for an empty one. */
uint16_t load_tally_find(struct load_tally *tally, struct view name);

/* The count of a name, 0 for one never seen. */
uint64_t load_tally_of(const struct load_tally *tally, const char *name);

/* Forgets the counts and keeps the names. */
void load_tally_clear(struct load_tally *tally);
