/*
 * Any text as an order to the dockhand and as its charter: refused with a sentence, or it holds
 * only what may stand in the path of a request to the Engine, and a container made by it is in no
 * namespace of the host.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "insist.h"
#include "replica/dockhand_charter.h"
#include "replica/dockhand_order.h"

static bool is_of(const char *text, const char *more)
{
    for (; *text; text++) {
        if (!isalnum((unsigned char)*text) && !strchr(more, *text))
            return false;
    }
    return true;
}

static void check_order(struct view text)
{
    struct dockhand_order order;
    struct error why = {""};

    if (dockhand_order_read(&order, text, &why) < 0) {
        INSIST(why.text[0]);
        return;
    }
    INSIST(order.id > 0 && order.verb < DOCKHAND_VERBS);
    INSIST(!order.container[0] || dockhand_order_is_container(order.container));
    INSIST(is_of(order.name, "_.-") && is_of(order.replica, "_.- ") && is_of(order.since, "."));
    INSIST(order.grace_s <= DOCKHAND_ORDER_GRACE_S_MAX);
}

static void check_body(const struct dockhand_charter *charter)
{
    static const char *const never[] = {"Privileged", "Binds",   "Mounts",      "CapAdd",
                                        "Devices",    "PidMode", "SecurityOpt", "PortBindings"};
    char *text = dockhand_charter_body(charter, "a");
    json_t *body = json_loads(text, 0, NULL);
    const json_t *host = json_object_get(body, "HostConfig");

    INSIST(host && json_object_size(body) == 4);
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        INSIST(!json_object_get(host, never[i]));
    INSIST(strcasecmp(json_string_value(json_object_get(host, "NetworkMode")), "host") != 0);
    json_decref(body);
    free(text);
}

static void check_charter(struct view text)
{
    struct dockhand_charter charter;
    struct dockhand_charter again;
    struct error why = {""};
    char *written;

    if (dockhand_charter_read(&charter, text, &why) < 0) {
        INSIST(why.text[0]);
        return;
    }
    check_body(&charter);
    written = dockhand_charter_write(&charter);
    INSIST(dockhand_charter_read(&again, view_of(written), &why) == 0);
    INSIST(json_equal(charter.env, again.env) && strcmp(charter.image, again.image) == 0);
    free(written);
    dockhand_charter_finish(&again);
    dockhand_charter_finish(&charter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = {(const char *)data, size};

    check_order(text);
    check_charter(text);
    return 0;
}
