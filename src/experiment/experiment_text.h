/* Results as text for a terminal. */
#pragma once

#include <jansson.h>

/* The number of that name, 0 where there is none. */
double experiment_text_number(const json_t *object, const char *name);

/* A bar for each count of an object; beside it what was expected (may be NULL). */
void experiment_text_bars(const json_t *counts, const json_t *expected);
