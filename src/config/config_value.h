/*
 * One value of a configuration: a person's text to what the program keeps, and back.
 * Texts and lists that a value consists of live in the arena of the call.
 */
#pragma once

#include "base/attribute.h"
#include "base/buffer.h"
#include "base/error.h"

#include "base/arena.h"
#include "config/config_field.h"

/* The common beginning of every struct config_texts, config_pairs, ... */
struct config_list {
    void *items;
    unsigned count;
};

bool config_value_is_list(enum config_type type);
bool config_value_is_map(enum config_type type);

/* Bytes of one item of a list or map. */
size_t config_value_item_bytes(enum config_type type);

/*
 * Puts the value of a scalar, or of one item of a list, at `place`. -EINVAL where it is none, with
 * "expected ..., found ..." in `why`; nothing changed.
 */
MUST_USE int config_value_parse(const struct config_field *field, struct view text,
                                struct arena *arena, void *place, struct error *why);

/* The same for one entry of a map; `place` is the item. */
MUST_USE int config_value_parse_pair(const struct config_field *field, struct view name,
                                     struct view text, struct arena *arena, void *place,
                                     struct error *why);

/* The field's default at `place`; all zeroes where it has none. */
void config_value_set_default(const struct config_field *field, struct arena *arena, void *place);

/* What a person would write for a scalar or an item of a list, unquoted; for an item of a map its
 * value. False where there is none (a text that is absent). */
bool config_value_print(const struct config_field *field, const void *place, struct buffer *out);

/* "a whole number from 1 to 65535, or auto", for errors and the documentation. */
void config_value_expectation(const struct config_field *field, struct buffer *out);

/* "expected ..., found ..." of the field; returns -EINVAL. */
int config_value_refuse(const struct config_field *field, struct view found, struct error *why);
