#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t allocations;

static void *or_stop(void *memory)
{
    allocations++;
    if (memory)
        return memory;
    fputs("out of memory\n", stderr);
    abort();
}

void *memory_allocate(size_t size)
{
    return or_stop(calloc(1, size ? size : 1));
}

void *memory_allocate_lines(size_t size)
{
    size_t lines = (size + MEMORY_LINE_BYTES - 1) / MEMORY_LINE_BYTES;

    return or_stop(aligned_alloc(MEMORY_LINE_BYTES, lines * MEMORY_LINE_BYTES));
}

void *memory_resize(void *memory, size_t size)
{
    return or_stop(realloc(memory, size ? size : 1));
}

char *memory_copy_text(const char *text)
{
    return text ? or_stop(strdup(text)) : NULL;
}

uint64_t memory_allocations(void)
{
    return allocations;
}
