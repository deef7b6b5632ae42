/* SHA-1 (FIPS 180-4 6.1), for the handshake of WebSockets and for nothing that has to be secret. */
#pragma once

#include <stdint.h>

#include "base/view.h"

#define SHA1_BYTES 20

void sha1_of(struct view bytes, uint8_t digest[SHA1_BYTES]);
