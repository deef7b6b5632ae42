/*
 * The working state behind slot-hrw: for every slot the four cheapest members, cheapest first. One
 * changed member touches only the slots where it is or comes among the four; the result is the
 * same as a full build, whatever the way to it. slot_rank.h finds the four, slot_settle.h says who
 * owns what.
 * Owner: whoever called slot_table_create().
 */
#pragma once

#include "balance/roster.h"

/*
 * Members are numbered by their place: stable as long as a member is there, unlike its index in
 * whatever list it was given in.
 */
struct slot_undo;
struct slot_note;

struct slot_table {
    unsigned bits;
    uint32_t slots;
    uint64_t *hashes;              /* by slot: its hash */
    uint64_t *ranks;               /* by slot: four places of 16 bits, the cheapest lowest */
    uint64_t *lasts;               /* by slot: cost of the fourth, SLOT_COST_NONE without one */
    struct balance_entry *members; /* by place; a free place is all zeros */
    uint32_t places;               /* that were ever used */
    uint32_t capacity;
    uint32_t active; /* members there are */
    uint64_t weights;
    bool is_even;            /* all weights are the same */
    uint16_t *indexes;       /* by place: the index in the last roster; [NONE] is NONE */
    uint16_t *sifted;        /* room for `capacity` places while a slot's are sifted */
    uint64_t *sifted_pairs;  /* and for their pairs' hashes */
    struct slot_undo *undo;  /* during a trial, else NULL */
    struct slot_note *notes; /* what a trial changed, kept for the next */
    size_t notes_capacity;
};

/* For 2^bits slots; empty. */
struct slot_table *slot_table_create(unsigned bits, const uint8_t secret[BALANCE_SECRET_BYTES]);

/* NULL is harmless. */
void slot_table_destroy(struct slot_table *table);

/* Makes the members those of `roster`, in place of those it had: by increments where few differ,
 * else anew. */
void slot_table_set(struct slot_table *table, const struct roster *roster);

/* How the members of `roster` differ from those of the table. */
struct slot_difference {
    uint32_t removed;
    uint32_t other; /* added, or of another weight */
};

struct slot_difference slot_table_compare(const struct slot_table *table,
                                          const struct roster *roster);

/* Whether so few changes are done by increments. */
bool slot_table_is_few(const struct slot_table *table, struct slot_difference difference);

/*
 * A trial: between the two, one slot_table_set() with few changes; the second takes it back, at
 * the cost of the slots it changed.
 */
void slot_table_begin_trial(struct slot_table *table);
void slot_table_end_trial(struct slot_table *table);

/* Notes what a slot was, during a trial. */
void slot_table_note(struct slot_table *table, uint32_t slot);
