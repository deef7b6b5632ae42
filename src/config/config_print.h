/* The effective whole as YAML. */
#pragma once

#include "base/attribute.h"
#include "base/buffer.h"

#include "config/config.h"

#define CONFIG_PRINT_BYTES_MAX (16u << 20) /* enough for everything a file may hold */

/* Appends YAML that is read as the same configuration again. What has no effect is left off, and
 * so is the token. -ENOBUFS where the buffer's limit forbids. */
MUST_USE int config_print(const struct config *config, struct buffer *out);
