/*
 * A request's head with places for a key: "{key}" in the target or in a field's value. Cut once,
 * filled in for each request.
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

#define LOAD_TEMPLATE_BYTES_MAX  (32 * 1024)
#define LOAD_TEMPLATE_PLACES_MAX 16

struct load_template {
    struct buffer text; /* without the places */
    size_t places[LOAD_TEMPLATE_PLACES_MAX];
    bool is_target[LOAD_TEMPLATE_PLACES_MAX]; /* there a key is percent-encoded (RFC 3986 2.1) */
    unsigned place_count;
};

void load_template_init(struct load_template *head);
void load_template_finish(struct load_template *head);

/* The request line, first. -EINVAL with a sentence. */
MUST_USE int load_template_begin(struct load_template *head, const char *method, struct view target,
                                 struct error *why);

/* A field. -EINVAL with a sentence for what is none, or what the connection itself writes. */
MUST_USE int load_template_field(struct load_template *head, struct view name, struct view value,
                                 struct error *why);

/* The connection ends with the answer. */
MUST_USE int load_template_close(struct load_template *head, struct error *why);

/* Bytes that a head with keys of up to `key_bytes` may have. */
size_t load_template_room(const struct load_template *head, size_t key_bytes);

/* Writes the head with the key; `out` has load_template_room() bytes. */
struct view load_template_fill(const struct load_template *head, struct view key, char *out);
