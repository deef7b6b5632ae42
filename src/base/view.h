/*
 * A view: bytes that somebody else owns. Not ended by a zero, may hold any byte.
 * Valid as long as what it was taken from.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attribute.h"

struct view {
    const char *data;
    size_t size;
};

/* A view of a string literal. */
#define VIEW(literal) ((struct view){(literal), sizeof(literal) - 1})

/* For printf's "%.*s". */
#define VIEW_ARGUMENTS(v) (int)(v).size, (v).data

static inline struct view view_of(const char *text)
{
    return (struct view){text, text ? strlen(text) : 0};
}

static inline struct view view_between(const char *start, const char *end)
{
    return (struct view){start, (size_t)(end - start)};
}

static inline bool view_equals(struct view a, struct view b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The first `size` bytes, or all where there are fewer. */
static inline struct view view_first(struct view v, size_t size)
{
    return (struct view){v.data, size < v.size ? size : v.size};
}

/* What is left after the first `size` bytes; empty where there are fewer. */
static inline struct view view_after(struct view v, size_t size)
{
    size_t skip = size < v.size ? size : v.size;

    return (struct view){v.data ? v.data + skip : NULL, v.size - skip};
}

static inline bool view_starts_with(struct view v, struct view prefix)
{
    return v.size >= prefix.size && view_equals(view_first(v, prefix.size), prefix);
}

/* Equal but for the case of ASCII letters. */
bool view_equals_nocase(struct view a, struct view b);

/* Where `byte` first stands, or v.size. */
size_t view_find(struct view v, char byte);

/* Without the spaces and tabs at both ends (RFC 9110 5.6.3, OWS). */
struct view view_trim(struct view v);

/*
 * Takes the next element off a comma-separated list (RFC 9110 5.6.1), trimmed; empty elements
 * are passed over. False at the end of the list.
 */
bool view_next_in_list(struct view *list, struct view *element);

/*
 * Reads a decimal number: digits only, at least one, nothing else. -EINVAL where it is none,
 * -ERANGE above `max`; *number is untouched then.
 */
MUST_USE int view_to_number(struct view v, uint64_t max, uint64_t *number);

/* Copies into `text` of `capacity` bytes, zero-ended. -ENAMETOOLONG, text untouched, if it will not
 * fit. */
MUST_USE int view_to_text(struct view v, char *text, size_t capacity);
