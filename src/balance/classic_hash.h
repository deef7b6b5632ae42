/*
 * The functions of the classic ring, by name: where a request and where a virtual server falls.
 * Exact as on paper, whatever the size of the numbers, but for `mix32`, which is made of 64 bits.
 */
#pragma once

#include "base/attribute.h"
#include "base/view.h"

/* The number of the function of this name, or -ENOENT. */
MUST_USE int classic_hash_find_request(const char *name);
MUST_USE int classic_hash_find_server(const char *name);

/* The names, in order; NULL past the last. */
const char *classic_hash_request_name(unsigned number);
const char *classic_hash_server_name(unsigned number);

/* H(key) mod slots. A key that is no decimal number of 64 bits is hashed as text: FNV-1a, or MD5
 * where that is the function. */
uint32_t classic_hash_request(unsigned function, struct view key, uint32_t slots);

/* Φ(id, number) mod slots. */
uint32_t classic_hash_server(unsigned function, uint32_t id, uint32_t number, uint32_t slots);
