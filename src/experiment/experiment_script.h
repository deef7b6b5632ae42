/* tools/plot_experiments.py, put into the program when it is built (src/experiment/meson.build). */
#pragma once

#include <stddef.h>

extern const unsigned char experiment_script[];
extern const size_t experiment_script_bytes;
