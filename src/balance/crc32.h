/* CRC-32 as zlib and Ethernet compute it (ISO 3309): ketama's hash. Not for keeping anyone out. */
#pragma once

#include "base/view.h"

/* The checksum of what `sum` was the checksum of, followed by `bytes`; 0 to begin. */
uint32_t crc32_add(uint32_t sum, struct view bytes);
