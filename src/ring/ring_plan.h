/* `roost ring plan`: what a change of the members would move. */
#pragma once

#include "ring/ring_options.h"

/* Returns the exit status. */
int ring_plan(const struct ring_options *options);
