#include "replica/driver_static_name.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void replace(char *text, char from, char to)
{
    for (; *text; text++) {
        if (*text == from)
            *text = to;
    }
}

void driver_static_name_make(const char *entry, const struct address *address,
                             char name[DRIVER_NAME_BYTES])
{
    char ip[ADDRESS_TEXT_BYTES];
    int length;

    address_ip_to_text(address, ip);
    replace(ip, ':', '.');
    length = snprintf(name, DRIVER_NAME_BYTES, "%s-%s", entry, ip);
    assert(length > 0 && length < DRIVER_NAME_BYTES);
    /* A name ends with a letter or digit: fd00:: is fd00::0 as well. That is not the longest one.
     */
    if (name[length - 1] == '.')
        memcpy(name + length, "0", 2);
}

static int read_ip(const char *written, struct address *address)
{
    char ip[DRIVER_NAME_BYTES];

    if (address_from_ip(view_of(written), 0, address) == 0)
        return 0;
    snprintf(ip, sizeof(ip), "%s", written);
    replace(ip, '.', ':');
    return address_from_ip(view_of(ip), 0, address);
}

int driver_static_name_read(const char *name, struct view *entry, struct address *address)
{
    const char *dash = strrchr(name, '-');
    char entry_text[DRIVER_NAME_BYTES];
    char again[DRIVER_NAME_BYTES];
    struct address read;

    if (!dash || dash == name || dash - name > DRIVER_STATIC_NAME_ENTRY_MAX)
        return -EINVAL;
    if (read_ip(dash + 1, &read) < 0)
        return -EINVAL;
    snprintf(entry_text, sizeof(entry_text), "%.*s", (int)(dash - name), name);
    driver_static_name_make(entry_text, &read, again);
    /* An address has one name. */
    if (strcmp(again, name) != 0)
        return -EINVAL;
    *entry = view_between(name, dash);
    *address = read;
    return 0;
}
