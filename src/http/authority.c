#include "http/authority.h"

#include <arpa/inet.h>

#include "http/h1_class.h"

#define PORT_MAX 65535

/* Bytes of "[...]" at the start of `text`, 0 where there is no valid IPv6 address in them. */
static size_t literal_size(struct view text)
{
    struct in6_addr address;
    char copy[INET6_ADDRSTRLEN];
    size_t close = view_find(text, ']');

    if (close == text.size)
        return 0;
    if (view_to_text(view_between(text.data + 1, text.data + close), copy, sizeof(copy)) < 0)
        return 0;
    /* A zero byte would end the copy early. */
    if (strlen(copy) != close - 1 || inet_pton(AF_INET6, copy, &address) != 1)
        return 0;
    return close + 1;
}

/* Bytes of the reg-name at the start of `text`; IPv4 addresses are one by their bytes. */
static size_t name_size(struct view text)
{
    size_t at = 0;

    while (at < text.size) {
        if (h1_class_is(text.data[at], H1_CLASS_HOST)) {
            at++;
            continue;
        }
        if (text.data[at] != '%' || text.size - at < 3 ||
            !h1_class_is(text.data[at + 1], H1_CLASS_HEX) ||
            !h1_class_is(text.data[at + 2], H1_CLASS_HEX))
            break;
        at += 3;
    }
    return at;
}

bool authority_split(struct view text, struct view *host, struct view *port)
{
    struct view rest;
    uint64_t number;
    size_t size;

    if (!text.size)
        return false;
    size = text.data[0] == '[' ? literal_size(text) : name_size(text);
    if (!size)
        return false;
    rest = view_after(text, size);
    if (rest.size && rest.data[0] != ':')
        return false;
    rest = view_after(rest, 1);
    /* The grammar lets a port be empty: "host:". */
    if (rest.size && view_to_number(rest, PORT_MAX, &number) < 0)
        return false;
    *host = view_first(text, size);
    *port = rest;
    return true;
}

bool authority_is_valid(struct view text)
{
    struct view host, port;

    return authority_split(text, &host, &port);
}
