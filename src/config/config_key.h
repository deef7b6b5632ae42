/* One source of a request's key: "header:X-Request-ID" and back. */
#pragma once

#include "base/attribute.h"
#include "base/buffer.h"

#include "base/arena.h"
#include "config/config.h"

/* -EINVAL where it is none of the words; *source is untouched then. Its name lives in the arena. */
MUST_USE int config_key_parse(struct view text, struct arena *arena, struct table_key_spec *source);

/* As a person writes it. */
void config_key_print(const struct table_key_spec *source, struct buffer *out);
