#include "load/load_url.h"

#include <errno.h>
#include <netdb.h>

#define PORT_DEFAULT 80

static int cut_port(struct view authority, struct load_url *url, struct error *why)
{
    size_t end = authority.size;
    uint64_t port = PORT_DEFAULT;

    while (end && authority.data[end - 1] != ':' && authority.data[end - 1] != ']')
        end--;
    url->name = authority;
    if (end && authority.data[end - 1] == ':') {
        url->name = view_first(authority, end - 1);
        if (view_to_number(view_after(authority, end), UINT16_MAX, &port) < 0 || port == 0)
            return error_set(why, -EINVAL, "'%.*s' has no port from 1 to 65535",
                             VIEW_ARGUMENTS(authority));
    }
    url->port = (uint16_t)port;
    if (url->name.size >= 2 && url->name.data[0] == '[')
        url->name = view_first(view_after(url->name, 1), url->name.size - 2);
    return url->name.size ? 0 : error_set(why, -EINVAL, "the URL has no host");
}

int load_url_parse(const char *text, struct load_url *url, struct error *why)
{
    struct view rest = view_of(text);
    size_t end;

    if (view_starts_with(rest, VIEW("https://")))
        return error_set(why, -EINVAL,
                         "https is not built in yet: roost load speaks plain HTTP/1.1");
    if (view_starts_with(rest, VIEW("http://")))
        rest = view_after(rest, strlen("http://"));
    else if (strstr(text, "://"))
        return error_set(why, -EINVAL, "'%s' does not begin with http://", text);
    end = strcspn(rest.data, "/?#");
    url->host = view_first(rest, end);
    if (memchr(url->host.data, '@', url->host.size))
        return error_set(why, -EINVAL,
                         "a URL with a user's name is not understood: -H "
                         "'Authorization: …' says it");
    url->target = view_after(rest, end);
    url->target = view_first(url->target, view_find(url->target, '#'));
    if (!url->target.size)
        url->target = VIEW("/");
    else if (url->target.data[0] == '?')
        return error_set(why, -EINVAL, "the URL has no '/' before its '?'");
    return cut_port(url->host, url, why);
}

int load_url_resolve(const struct load_url *url, struct address *address, struct error *why)
{
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char name[LOAD_URL_NAME_BYTES];
    int result;

    if (address_from_ip(url->name, url->port, address) == 0)
        return 0;
    if (view_to_text(url->name, name, sizeof(name)) < 0)
        return error_set(why, -EINVAL, "the host's name is too long");
    result = getaddrinfo(name, NULL, &wanted, &found);
    if (result)
        return error_set(why, -ENOENT, "%s: %s", name, gai_strerror(result));
    *address = (struct address){.size = found->ai_addrlen};
    memcpy(&address->any, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    address_set_port(address, url->port);
    return 0;
}
