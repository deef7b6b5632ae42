/*
 * Small trusted allocations: they cannot fail (the program stops if they do). What a peer can
 * cause to grow comes from a pool or a buffer with a limit instead.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What a processor fetches from memory at once. */
#define MEMORY_LINE_BYTES 64

/* `size` zeroed bytes. Owner: the caller, ends with free(). */
void *memory_allocate(size_t size);

/* `size` bytes, not zeroed, from the beginning of a cache line on. Owner: the caller, ends with
 * free(). */
void *memory_allocate_lines(size_t size);

/* Like realloc(); new bytes are not zeroed. */
void *memory_resize(void *memory, size_t size);

/* A copy of zero-ended `text`; NULL for NULL. Owner: the caller, ends with free(). */
char *memory_copy_text(const char *text);

/* How many allocations this process has made through base/ since its start: a test holds steady
 * state to zero. */
uint64_t memory_allocations(void);
