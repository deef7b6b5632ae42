#include "proxy/client.h"

bool client_is_trusted(const struct address *address, const struct table *table)
{
    for (unsigned i = 0; i < table->settings.trusted_count; i++) {
        if (address_is_in_range(address, &table->settings.trusted[i]))
            return true;
    }
    return false;
}

static bool is_trusted(const struct table *table, struct view ip)
{
    struct address address;

    return table->settings.trusted_count && address_from_ip(ip, 0, &address) == 0 &&
           client_is_trusted(&address, table);
}

static struct view last_in_list(struct view list)
{
    size_t start = list.size;

    while (start > 0 && list.data[start - 1] != ',')
        start--;
    return view_trim(view_after(list, start));
}

/* Goes back through the list as long as those named are trusted. False where the client was found,
 * or where what is no address ends the search. */
static bool go_back(const struct table *table, struct view list, struct view *client)
{
    while (list.size) {
        struct view last = last_in_list(list);
        struct address address;

        list = view_first(list, (size_t)(last.data - list.data));
        while (list.size && (list.data[list.size - 1] == ',' || list.data[list.size - 1] == ' ' ||
                             list.data[list.size - 1] == '\t'))
            list.size--;
        if (address_from_ip(last, 0, &address) < 0)
            return false;
        *client = last;
        if (!is_trusted(table, last))
            return false;
    }
    return true;
}

/* Several lines are one list (RFC 9110 5.3): the last one is the nearest. */
static struct view named_client(const struct table *table, const struct head *head,
                                struct view peer)
{
    struct view client = peer;

    for (unsigned i = head->field_count; i > 0; i--) {
        const struct field *field = &head->fields[i - 1];

        if (field->id != FIELD_X_FORWARDED_FOR || field->is_dropped)
            continue;
        if (!go_back(table, field->value, &client))
            break;
    }
    return client;
}

struct exchange_client client_of(const struct inbound *inbound, const struct head *head,
                                 const struct table *table)
{
    struct exchange_client client = {
        .ip = view_of(inbound->client_ip),
        .listener = inbound->listener,
        .is_loopback = inbound->listener < table->listener_count &&
                       table->listeners[inbound->listener].is_loopback,
    };

    client.is_trusted = is_trusted(table, client.ip);
    client.peer = client.ip;
    if (client.is_trusted)
        client.ip = named_client(table, head, client.ip);
    return client;
}
