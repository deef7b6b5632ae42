/* `roost ring replay LOG`: an access log against a scheme. */
#pragma once

#include "ring/ring_options.h"

/* Returns the exit status. */
int ring_replay(const struct ring_options *options);
