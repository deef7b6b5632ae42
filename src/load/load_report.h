/* What `roost load` prints at the end. */
#pragma once

#include <jansson.h>

#include "load/load_options.h"

void load_report_print(const struct load_options *options, const struct load_result *result);

/* Everything about a result. Owner: the caller. */
json_t *load_report_json(const struct load_result *result);

/* Counts by name, in the order of their names. Owner: the caller. */
json_t *load_report_counts(const struct load_tally *tally);
