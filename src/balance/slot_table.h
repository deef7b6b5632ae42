/*
 * The working state behind slot-hrw: for every slot a list of the cheapest members, cheapest first,
 * with codes of their costs. One changed member touches only the lists where it is or comes in; the
 * four that are published are the same as after a full build, whatever the way to them. slot_rank.h
 * keeps the lists, slot_settle.h says who owns what.
 * Owner: whoever called slot_table_create().
 */
#pragma once

#include "balance/roster.h"

/* Members a list has room for: more than are published, so that when some go it need not be filled
 * again at once. */
#define SLOT_KEPT 8

struct slot_rival;

/*
 * Members are numbered by their place: stable as long as a member is there, unlike its index in
 * whatever list it was given in.
 */
struct slot_table {
    unsigned bits;
    uint32_t slots;
    unsigned kept;    /* members that a list should know: as slot_table_create() was told */
    uint64_t *hashes; /* by slot: its hash */
    uint16_t *lists;  /* by slot: SLOT_KEPT places, the cheapest first; BALANCE_NONE past the end */
    int16_t *codes;   /* of their costs: see slot_list.h */
    struct balance_entry *members; /* by place; a free place is all zeros */
    uint32_t places;               /* that were ever used */
    uint32_t capacity;
    uint32_t active; /* members there are */
    uint64_t weights;
    uint64_t likely; /* a cost that enough members are likely within; 0 before the first set */
    struct slot_rival *rivals; /* those active, as slot_fill.h wants them */
    uint16_t *indexes;         /* by place: the index in the last roster; [NONE] is NONE */
    uint16_t *sifted;          /* room for `capacity` of them while a slot's are sifted */
};

/* For 2^bits slots; empty. A list should know `kept` members: SLOT_KEPT in one that will be
 * changed, BALANCE_RANKS in one that will be settled once: it has no codes. */
struct slot_table *slot_table_create(unsigned bits, unsigned kept,
                                     const uint8_t secret[BALANCE_SECRET_BYTES]);

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
