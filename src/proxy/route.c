#include "proxy/route.h"

/* The calls of the classic API that the keeper answers. */
static const struct view link_paths[] = {
    {"/rep", 4},
    {"/add", 4},
    {"/rm", 3},
    {"/stats", 6},
};

static struct view without_port(struct view host)
{
    size_t end = host.size;

    while (end > 0 && host.data[end - 1] >= '0' && host.data[end - 1] <= '9')
        end--;
    if (end > 0 && host.data[end - 1] == ':')
        return view_first(host, end - 1);
    return host;
}

/* "*.example.org" is every name under it, not the name itself. */
static bool matches_wildcard(struct view wanted, struct view host)
{
    struct view suffix = view_after(wanted, 1);

    return host.size > suffix.size &&
           view_equals_nocase(suffix, view_after(host, host.size - suffix.size));
}

static bool matches_host(struct view wanted, struct view host)
{
    if (!wanted.size)
        return true;
    if (!host.data)
        return false;
    host = without_port(host);
    return wanted.data[0] == '*' ? matches_wildcard(wanted, host)
                                 : view_equals_nocase(wanted, host);
}

static bool matches_path(struct view wanted, struct view path)
{
    if (!view_starts_with(path, wanted))
        return false;
    return !wanted.size || path.size == wanted.size || wanted.data[wanted.size - 1] == '/' ||
           path.data[wanted.size] == '/';
}

static bool is_link_path(struct view path)
{
    for (size_t i = 0; i < ARRAY_SIZE(link_paths); i++) {
        if (view_equals(path, link_paths[i]))
            return true;
    }
    return false;
}

static bool may_reach(const struct table *table, unsigned listener, unsigned service)
{
    if (listener >= table->listener_count)
        return false;
    return table->listeners[listener].services[service / 64] >> service % 64 & 1;
}

struct route route_find(const struct table *table, const struct head *head, unsigned listener)
{
    if (table->settings.compat != TABLE_COMPAT_OFF) {
        if (view_equals(head->path, VIEW("/healthcheck")))
            return (struct route){.kind = ROUTE_HEALTH};
        if (is_link_path(head->path))
            return (struct route){.kind = ROUTE_LINK};
    }
    for (unsigned i = 0; i < table->service_count; i++) {
        const struct table_service *service = table_services(table) + i;

        if (may_reach(table, listener, i) &&
            matches_host(table_text(table, service->host), head->host) &&
            matches_path(table_text(table, service->path), head->path))
            return (struct route){.kind = ROUTE_SERVICE, .service = i};
    }
    return (struct route){.kind = ROUTE_NONE};
}
