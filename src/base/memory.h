/*
 * Small trusted allocations: they cannot fail (the program stops if they do). What a peer can
 * cause to grow comes from a pool or a buffer with a limit instead.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* `size` zeroed bytes. Owner: the caller, ends with free(). */
void *memory_allocate(size_t size);

/* Like realloc(); new bytes are not zeroed. */
void *memory_resize(void *memory, size_t size);

/* A copy of zero-ended `text`; NULL for NULL. Owner: the caller, ends with free(). */
char *memory_copy_text(const char *text);

/* How many allocations this process has made through base/ since its start: a test holds steady
 * state to zero. */
uint64_t memory_allocations(void);
