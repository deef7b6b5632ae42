/* The common part of an image: head, entries, names, and room for the scheme's table. */
#pragma once

#include "balance/scheme.h"

/*
 * An image with a table of `table_bytes`, for the scheme to fill. *image is NULL or one that is
 * used again if it is large enough, its table as it was, and freed if not; a new table is zeros.
 * Owner: the caller, ends with balance_destroy(). -E2BIG with a sentence where it would pass 4
 * GiB.
 */
MUST_USE int image_create(const struct scheme_input *input, size_t table_bytes,
                          struct balance_image **image, struct error *why);

/* As balance_image_at(). */
const struct balance_image *image_at(const void *bytes, size_t size);

static inline void *image_table(struct balance_image *image)
{
    return (char *)image + image->table;
}

static inline const void *image_table_of(const struct balance_image *image)
{
    return (const char *)image + image->table;
}

static inline const struct balance_entry *image_entries(const struct balance_image *image)
{
    return (const struct balance_entry *)((const char *)image + image->entries);
}
