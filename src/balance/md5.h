/* MD5 (RFC 1321): one of the classic placement functions, nothing more. */
#pragma once

#include "base/view.h"

#define MD5_BYTES 16

void md5_sum(struct view text, uint8_t sum[MD5_BYTES]);
