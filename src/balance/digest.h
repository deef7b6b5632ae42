/* The keyed hashes of balance/ and what identifies a placement. XXH3 of libxxhash, inlined. */
#pragma once

#include "balance/balance.h"

/* The 192 secret bytes XXH3 is keyed with: word i is XXH3-64 of the key with the seed i, stored
 * little-endian. Every bit depends on the whole key, as XXH3 wants it. */
void digest_secret(const uint8_t key[BALANCE_KEY_BYTES], uint8_t secret[BALANCE_SECRET_BYTES]);

/* XXH3-128 of the name; *high is made odd. */
void digest_name(const uint8_t *secret, const char *name, size_t size, uint64_t *low,
                 uint64_t *high);

/* XXH3-64 of the slot's number, four bytes little-endian. */
uint64_t digest_slot(const uint8_t *secret, uint32_t slot);

/* Name, weight and id in 128 bits. */
struct balance_digest digest_member(const char *name, const struct balance_entry *entry);

/* Sums, so that the order does not matter. */
void digest_add(struct balance_digest *sum, struct balance_digest digest);

/* The whole: the members' sum and the options that decide where keys go. */
struct balance_digest digest_placement(struct balance_digest sum,
                                       const struct balance_options *options);
