#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *why, int code, const char *format, ...)
{
    va_list values;

    if (!why)
        return code;
    va_start(values, format);
    vsnprintf(why->text, sizeof(why->text), format, values);
    va_end(values);
    return code;
}

int error_prefix(struct error *why, int code, const char *format, ...)
{
    char sentence[ERROR_TEXT_BYTES];
    va_list values;
    size_t left;
    int size;

    if (!why)
        return code;
    memcpy(sentence, why->text, sizeof(sentence));
    va_start(values, format);
    size = vsnprintf(why->text, sizeof(why->text), format, values);
    va_end(values);
    if (size < 0 || (size_t)size >= sizeof(why->text))
        return code;
    left = sizeof(why->text) - (size_t)size;
    snprintf(why->text + size, left, ": %.*s", (int)left, sentence);
    return code;
}
