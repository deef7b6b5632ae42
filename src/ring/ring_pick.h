/* `roost ring pick`: which replica a key goes to. */
#pragma once

#include "ring/ring_options.h"

/* Returns the exit status. */
int ring_pick(const struct ring_options *options);
