#include "net/resolver_host.h"

#include <errno.h>

#define LABEL_BYTES_MAX 63
#define PORT_MAX        65535

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_label(struct view label)
{
    if (label.size == 0 || label.size > LABEL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < label.size; i++) {
        bool is_end = i == 0 || i + 1 == label.size;

        if (!is_letter_or_digit(label.data[i]) && label.data[i] != '_' &&
            (is_end || label.data[i] != '-'))
            return false;
    }
    return true;
}

/* A last label of digits is the rest of an IP address that was mistyped. */
static bool is_host(struct view name)
{
    struct view label = {0};
    uint64_t number;

    if (name.size && name.data[name.size - 1] == '.')
        name.size--;
    if (name.size == 0 || name.size > RESOLVER_HOST_BYTES - 2)
        return false;
    for (struct view rest = name;;) {
        size_t size = view_find(rest, '.');

        label = view_first(rest, size);
        if (!is_label(label))
            return false;
        if (size == rest.size)
            break;
        rest = view_after(rest, size + 1);
    }
    return view_to_number(label, UINT64_MAX, &number) == -EINVAL;
}

int resolver_host_from_text(struct view text, char host[RESOLVER_HOST_BYTES], uint16_t *port)
{
    size_t colon = view_find(text, ':');
    struct view name = view_first(text, colon);
    uint64_t number;

    if (colon == text.size || !is_host(name) ||
        view_to_number(view_after(text, colon + 1), PORT_MAX, &number) < 0 || number == 0)
        return -EINVAL;
    if (view_to_text(name, host, RESOLVER_HOST_BYTES) < 0)
        return -EINVAL;
    *port = (uint16_t)number;
    return 0;
}
