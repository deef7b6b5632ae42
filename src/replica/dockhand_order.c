#include "replica/dockhand_order.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/attribute.h"

static const char *const verbs[DOCKHAND_VERBS] = {"create",  "start", "stop",  "remove",
                                                  "inspect", "list",  "events"};

bool dockhand_order_is_container(const char *text)
{
    return strlen(text) == DOCKHAND_ORDER_ID_BYTES - 1 &&
           strspn(text, "0123456789abcdef") == DOCKHAND_ORDER_ID_BYTES - 1;
}

static bool is_name(const char *text, const char *more, size_t least, size_t capacity)
{
    size_t size = strlen(text);

    if (size < least || size >= capacity || !isalnum((unsigned char)text[0]))
        return false;
    for (; *text; text++) {
        if (!isalnum((unsigned char)*text) && !strchr(more, *text))
            return false;
    }
    return true;
}

static int read_create(struct dockhand_order *order, json_t *root, struct error *why)
{
    const char *name;
    const char *replica;
    const char *verb;
    json_error_t wrong;
    json_int_t id;

    if (json_unpack_ex(root, &wrong, JSON_STRICT, "{s:I,s:s,s:s,s:s}", "id", &id, "verb", &verb,
                       "name", &name, "replica", &replica) < 0)
        return error_set(why, -EINVAL, "create: %.150s", wrong.text);
    /* The Engine wants two bytes at least. */
    if (!is_name(name, "_.-", 2, sizeof(order->name)))
        return error_set(why, -EINVAL, "create: '%.100s' is no name for a container", name);
    if (!is_name(replica, " _.-", 1, sizeof(order->replica)))
        return error_set(why, -EINVAL, "create: '%.100s' is no name for a replica", replica);
    snprintf(order->name, sizeof(order->name), "%s", name);
    snprintf(order->replica, sizeof(order->replica), "%s", replica);
    return 0;
}

static int read_container(struct dockhand_order *order, json_t *root, struct error *why)
{
    const char *name = verbs[order->verb];
    const char *container;
    const char *verb;
    json_error_t wrong;
    json_int_t grace = 0;
    json_int_t id;
    int result;

    if (order->verb == DOCKHAND_STOP)
        result = json_unpack_ex(root, &wrong, JSON_STRICT, "{s:I,s:s,s:s,s:I}", "id", &id, "verb",
                                &verb, "container", &container, "grace", &grace);
    else
        result = json_unpack_ex(root, &wrong, JSON_STRICT, "{s:I,s:s,s:s}", "id", &id, "verb",
                                &verb, "container", &container);
    if (result < 0)
        return error_set(why, -EINVAL, "%s: %.150s", name, wrong.text);
    if (!dockhand_order_is_container(container))
        return error_set(why, -EINVAL, "%s: '%.100s' is no id of a container", name, container);
    if (grace < 0 || grace > DOCKHAND_ORDER_GRACE_S_MAX)
        return error_set(why, -EINVAL, "%s: %lld seconds are no time to wait", name,
                         (long long)grace);
    order->grace_s = (uint32_t)grace;
    snprintf(order->container, sizeof(order->container), "%s", container);
    return 0;
}

static int read_list(json_t *root, struct error *why)
{
    const char *verb;
    json_error_t wrong;
    json_int_t id;

    if (json_unpack_ex(root, &wrong, JSON_STRICT, "{s:I,s:s}", "id", &id, "verb", &verb) < 0)
        return error_set(why, -EINVAL, "list: %.150s", wrong.text);
    return 0;
}

static int read_events(struct dockhand_order *order, json_t *root, struct error *why)
{
    const char *since;
    const char *verb;
    json_error_t wrong;
    json_int_t id;

    if (json_unpack_ex(root, &wrong, JSON_STRICT, "{s:I,s:s,s:s}", "id", &id, "verb", &verb,
                       "since", &since) < 0)
        return error_set(why, -EINVAL, "events: %.150s", wrong.text);
    if (strlen(since) >= sizeof(order->since) || strspn(since, "0123456789.") != strlen(since))
        return error_set(why, -EINVAL, "events: '%.40s' is no time", since);
    snprintf(order->since, sizeof(order->since), "%s", since);
    return 0;
}

static int read_verb(struct dockhand_order *order, json_t *root, struct error *why)
{
    const char *verb = json_string_value(json_object_get(root, "verb"));

    for (unsigned i = 0; verb && i < DOCKHAND_VERBS; i++) {
        if (strcmp(verb, verbs[i]) == 0) {
            order->verb = (enum dockhand_verb)i;
            return 0;
        }
    }
    return error_set(why, -EINVAL, "there is no verb '%.40s'", verb ? verb : "");
}

static int read_root(struct dockhand_order *order, json_t *root, struct error *why)
{
    json_int_t id = json_integer_value(json_object_get(root, "id"));
    int result;

    *order = (struct dockhand_order){.id = id > 0 ? (uint64_t)id : 0};
    if (!order->id)
        return error_set(why, -EINVAL, "an order needs an id");
    result = read_verb(order, root, why);
    if (result < 0)
        return result;
    switch (order->verb) {
    case DOCKHAND_CREATE:
        return read_create(order, root, why);
    case DOCKHAND_LIST:
        return read_list(root, why);
    case DOCKHAND_EVENTS:
        return read_events(order, root, why);
    default:
        return read_container(order, root, why);
    }
}

int dockhand_order_read(struct dockhand_order *order, struct view text, struct error *why)
{
    json_error_t wrong;
    json_t *root;
    int result;

    order->id = 0;
    if (text.size > DOCKHAND_ORDER_BYTES_MAX)
        return error_set(why, -EINVAL, "an order has at most %u bytes", DOCKHAND_ORDER_BYTES_MAX);
    root = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &wrong);
    if (!root)
        return error_set(why, -EINVAL, "this is no order: %.150s", wrong.text);
    result = read_root(order, root, why);
    json_decref(root);
    return result;
}
