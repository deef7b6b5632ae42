/* Pictures and the report, drawn by Python and matplotlib where they are there. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/*
 * Draws what lies in `folder` as NAME.json: of that name, or with NULL of all, and report.html.
 * Says on standard error what was written, or how to get the pictures where matplotlib is missing
 * (which is no failure). -errno with a sentence.
 */
MUST_USE int experiment_plot(const char *folder, const char *name, struct error *why);
