/*
 * A table for people: columns as wide as their widest text, numbers to the right.
 * Owner: the struct it is embedded in; ends with ctl_table_finish().
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/attribute.h"

#define CTL_TABLE_COLUMNS_MAX 16

struct ctl_table {
    const char *const *names; /* of the columns; one that begins with '>' is of numbers */
    unsigned column_count;
    unsigned row_count;
    char **cells; /* row by row */
};

/* `names` ends with NULL and stays the caller's. */
void ctl_table_init(struct ctl_table *table, const char *const *names);
void ctl_table_finish(struct ctl_table *table);

/* The next cell, from left to right and top to bottom. */
void ctl_table_add(struct ctl_table *table, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same of a JSON value: "-" for null, and for a text that is empty. */
void ctl_table_add_json(struct ctl_table *table, const json_t *value);

void ctl_table_print(const struct ctl_table *table, FILE *out);
