/* Numbers with a unit or a point, as a person writes them, and back. */
#pragma once

#include "base/attribute.h"
#include "base/buffer.h"

/* "1.25" in thousandths. -EINVAL for more than three decimal places: what is dropped silently is
 * found late. */
MUST_USE int config_measure_parse_decimal(struct view text, uint64_t *thousandths);
void config_measure_print_decimal(uint64_t thousandths, struct buffer *out);

/* "500ms", "10s", "5m", "24h" in milliseconds. -EINVAL without a unit. */
MUST_USE int config_measure_parse_duration(struct view text, uint64_t *ms);
void config_measure_print_duration(uint64_t ms, struct buffer *out);

/* "1000", "32KiB", "1MB" in bytes. -EINVAL where it is none. */
MUST_USE int config_measure_parse_size(struct view text, uint64_t *bytes);
void config_measure_print_size(uint64_t bytes, struct buffer *out);

/* A plain number. What a full buffer has no room for is left off, here and above. */
void config_measure_print_number(uint64_t number, struct buffer *out);
