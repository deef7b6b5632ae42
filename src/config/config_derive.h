/* What a configuration says only as a whole: defaults that follow from other values, and what
 * must fit together. */
#pragma once

#include "config/config_loading.h"

/* Fields without an effect go back to their default, with a warning. */
void config_derive_effects(struct config_loading *loading);

/* Fills in what was left open. */
void config_derive_defaults(struct config_loading *loading);

/* Notes what does not fit together. */
void config_derive_check(struct config_loading *loading);
