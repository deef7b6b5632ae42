/*
 * What a reader made of one message, as a line of text that a test compares. Input is a frame on
 * standard input: kind ('q' request, 'a' answer to GET, 'h' answer to HEAD), its size in four
 * bytes, lowest first, and the bytes. All text is printed in hexadecimal, "-" for nothing.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READING_BYTES_MAX (64 * 1024)

/* Reads the next frame; false at the end. */
static inline int reading_next(char *kind, char *bytes, size_t *size)
{
    unsigned char start[5];

    if (fread(start, 1, sizeof(start), stdin) != sizeof(start))
        return 0;
    *kind = (char)start[0];
    *size =
        (size_t)start[1] | (size_t)start[2] << 8 | (size_t)start[3] << 16 | (size_t)start[4] << 24;
    if (*size > READING_BYTES_MAX)
        abort();
    return fread(bytes, 1, *size, stdin) == *size;
}

static inline void reading_print(const char *bytes, size_t size)
{
    if (!size)
        fputs(" -", stdout);
    else
        fputc(' ', stdout);
    for (size_t i = 0; i < size; i++)
        printf("%02x", (unsigned char)bytes[i]);
}
