#include "config/config_text.h"

#include <jansson.h>

#include "net/address.h"
#include "net/resolver_host.h"

#include "config/config.h"

#define TEXT_BYTES_MAX 65536
#define HOST_BYTES_MAX 253

/*
 * Characters that YAML cannot hold or takes for the end of a line (YAML 1.2 5.1, 5.4), as UTF-8:
 * line and paragraph separator, byte order mark, U+FFFE, U+FFFF.
 */
static const struct view unprintable[] = {VIEW("\xe2\x80\xa8"), VIEW("\xe2\x80\xa9"),
                                          VIEW("\xef\xbb\xbf"), VIEW("\xef\xbf\xbe"),
                                          VIEW("\xef\xbf\xbf")};

static bool begins_printable(struct view rest)
{
    unsigned char byte = (unsigned char)rest.data[0];

    if (byte < ' ' || byte == 0x7f)
        return false;
    /* U+0080 to U+009F are controls too. */
    if (byte == 0xc2 && rest.size > 1 && (unsigned char)rest.data[1] < 0xa0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(unprintable); i++) {
        if (view_starts_with(rest, unprintable[i]))
            return false;
    }
    return true;
}

bool config_text_is_printable(struct view text, const char *allowed)
{
    json_t *checked;

    if (text.size > TEXT_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!begins_printable(view_after(text, i)) &&
            (text.data[i] == '\0' || !strchr(allowed, text.data[i])))
            return false;
    }
    checked = json_stringn(text.size ? text.data : "", text.size);
    json_decref(checked);
    return checked;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool config_text_is_name(struct view text)
{
    if (!text.size || text.size > CONFIG_NAME_BYTES_MAX)
        return false;
    if (!is_letter_or_digit(text.data[0]) || !is_letter_or_digit(text.data[text.size - 1]))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_letter_or_digit(text.data[i]) && !memchr(" ._-", text.data[i], 4))
            return false;
    }
    return true;
}

bool config_text_is_host(struct view text)
{
    struct view name = view_after(text, view_starts_with(text, VIEW("*.")) ? 2 : 0);

    if (!name.size || text.size > HOST_BYTES_MAX || name.data[0] == '.')
        return false;
    for (size_t i = 0; i < name.size; i++) {
        if (!is_letter_or_digit(name.data[i]) && !memchr("-._:[]", name.data[i], 6))
            return false;
    }
    return true;
}

bool config_text_is_url_path(struct view text)
{
    if (!text.size || text.size > TEXT_BYTES_MAX || text.data[0] != '/')
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f || text.data[i] == '#')
            return false;
    }
    return true;
}

bool config_text_is_endpoint(struct view text)
{
    struct address address;

    return address_from_text(text, &address, NULL) == 0 && address_port(&address) != 0;
}

bool config_text_is_resolver(struct view text)
{
    struct address address;

    return address_from_ip(text, 0, &address) == 0 || config_text_is_endpoint(text);
}

bool config_text_is_host_port(struct view text)
{
    char host[RESOLVER_HOST_BYTES];
    uint16_t port;

    return resolver_host_from_text(text, host, &port) == 0;
}

bool config_text_is_variable(struct view text)
{
    if (!text.size || (text.data[0] >= '0' && text.data[0] <= '9'))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_letter_or_digit(text.data[i]) && text.data[i] != '_')
            return false;
    }
    return true;
}
