/* How the values of one type are read and written; one row for each enum config_type. */
#pragma once

#include "base/buffer.h"

#include "base/arena.h"
#include "config/config_field.h"

/* Puts the value at `place`. -EINVAL where it is none; nothing changed then. */
typedef int (*config_type_parse_fn)(const struct config_field *field, struct view text,
                                    struct arena *arena, void *place);

/* Writes what a person would; false where there is no value (a text that is absent). */
typedef bool (*config_type_print_fn)(const struct config_field *field, const void *place,
                                     struct buffer *out);

struct config_type_row {
    config_type_parse_fn parse;
    config_type_print_fn print;
    const char *noun;    /* "a duration" */
    const char *example; /* ", such as"; NULL: none */
    size_t item_bytes;   /* of a list or map; 0: neither */
    bool is_map;
    bool has_range;
};

/* Sections and lists of sections have an empty row. */
const struct config_type_row *config_type_row(enum config_type type);
