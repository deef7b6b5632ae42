/* The chart of `roost ring compare`: two rows of bars as SVG. */
#pragma once

#include "ring/ring_compare.h"

/* Writes the file anew. Negative errno with a sentence where that fails. */
MUST_USE int ring_chart_write(const char *path, const struct ring_compare_row *rows, size_t count,
                              struct error *why);
