#include "base/view.h"

#include <errno.h>

static inline unsigned char lower(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte | 0x20) : byte;
}

bool view_equals_nocase(struct view a, struct view b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    }
    return true;
}

size_t view_find(struct view v, char byte)
{
    const char *place = v.size ? memchr(v.data, byte, v.size) : NULL;

    return place ? (size_t)(place - v.data) : v.size;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct view view_trim(struct view v)
{
    const char *start = v.data;
    const char *end;

    if (!v.size)
        return v;
    end = start + v.size;
    while (start != end && is_blank(*start))
        start++;
    while (end != start && is_blank(end[-1]))
        end--;
    return view_between(start, end);
}

bool view_next_in_list(struct view *list, struct view *element)
{
    size_t comma;

    /* An empty element costs its sender one byte: passing over it must be as cheap. */
    while (list->size && (list->data[0] == ',' || is_blank(list->data[0])))
        *list = view_after(*list, 1);
    if (!list->size)
        return false;
    comma = view_find(*list, ',');
    *element = view_trim(view_first(*list, comma));
    *list = view_after(*list, comma + 1);
    return true;
}

int view_to_number(struct view v, uint64_t max, uint64_t *number)
{
    bool is_above = false;
    uint64_t sum = 0;

    if (!v.size)
        return -EINVAL;
    for (size_t i = 0; i < v.size; i++) {
        unsigned digit = (unsigned char)v.data[i] - (unsigned)'0';

        if (digit > 9)
            return -EINVAL;
        /* Read on: only a number can be too large. */
        if (is_above || digit > max || sum > (max - digit) / 10)
            is_above = true;
        else
            sum = sum * 10 + digit;
    }
    if (is_above)
        return -ERANGE;
    *number = sum;
    return 0;
}

int view_to_text(struct view v, char *text, size_t capacity)
{
    if (v.size >= capacity)
        return -ENAMETOOLONG;
    if (v.size)
        memcpy(text, v.data, v.size);
    text[v.size] = 0;
    return 0;
}
