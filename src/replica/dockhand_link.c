#include "replica/dockhand_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/log.h"
#include "base/memory.h"
#include "replica/dockhand_nursery.h"
#include "replica/dockhand_order.h"

/* Most messages taken at one event. */
#define MESSAGES_PER_TURN 64

#define LOST "the dockhand has ended"

struct order {
    struct list list;
    uint64_t id;
    bool is_stream;
    bool is_sent;
    char *text;
    dockhand_link_item_fn on_item;
    dockhand_link_done_fn done; /* NULL: nobody wants to know any more */
    void *owner;
};

/* ---- the process ---- */

static int fork_dockhand(int fd, struct error *why)
{
    pid_t pid = fork();

    if (pid == 0)
        dockhand_nursery_become(fd);
    if (pid < 0)
        return error_set(why, -errno, "cannot start the dockhand: %s", strerror(errno));
    /* The one in between, which ends at once. */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return 0;
}

static int launch_process(void *owner, int *fd, struct error *why)
{
    int ends[2];
    int result;

    (void)owner;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set(why, -errno, "socketpair for the dockhand: %s", strerror(errno));
    if (dockhand_nursery_is_there())
        result = dockhand_nursery_ask(ends[1], why);
    else
        result = fork_dockhand(ends[1], why);
    close(ends[1]);
    if (result < 0) {
        close(ends[0]);
        return result;
    }
    *fd = ends[0];
    return 0;
}

/* ---- orders ---- */

static void free_order(struct order *order)
{
    list_remove(&order->list);
    free(order->text);
    free(order);
}

static void answer(struct dockhand_link *link, struct order *order, int result,
                   const json_t *fields, const char *why)
{
    dockhand_link_done_fn done = order->done;
    void *owner = order->owner;

    if (order->is_sent && !order->is_stream)
        link->outstanding--;
    free_order(order);
    loop_make_ready(link->loop, &link->ready);
    if (done)
        done(owner, result, fields, why);
}

static void fail_all(struct dockhand_link *link, struct list *orders)
{
    struct list lost;

    list_init(&lost);
    list_take_all(&lost, orders);
    while (!list_is_empty(&lost))
        answer(link, LIST_FIRST(&lost, struct order, list), -ENOTCONN, NULL, LOST);
}

/* What waits is sent, as far as it may be. */
static void on_ready(struct ready *ready)
{
    struct dockhand_link *link = CONTAINER_OF(ready, struct dockhand_link, ready);

    while (link->is_welcome && !list_is_empty(&link->queue)) {
        struct order *order = LIST_FIRST(&link->queue, struct order, list);

        if (!order->is_stream && link->outstanding >= DOCKHAND_LINK_ORDERS_MAX)
            return;
        /* Where it does not fit, an answer will come that makes room. */
        if (send(link->watch.fd, order->text, strlen(order->text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            return;
        list_remove(&order->list);
        list_append(&link->sent, &order->list);
        order->is_sent = true;
        if (!order->is_stream)
            link->outstanding++;
    }
}

static void set_text(json_t *message, const char *name, const char *text)
{
    if (text)
        json_object_set_new(message, name, json_string(text));
}

void dockhand_link_give(struct dockhand_link *link, const struct dockhand_link_order *wish)
{
    struct order *order = memory_allocate(sizeof(*order));
    json_t *message = json_pack("{s:I,s:s}", "id", (json_int_t)++link->last_id, "verb", wish->verb);

    set_text(message, "name", wish->name);
    set_text(message, "replica", wish->replica);
    set_text(message, "container", wish->container);
    set_text(message, "since", wish->since);
    if (strcmp(wish->verb, "stop") == 0)
        json_object_set_new(message, "grace", json_integer(wish->grace_s));
    *order = (struct order){
        .id = link->last_id,
        .is_stream = strcmp(wish->verb, "events") == 0,
        .text = json_dumps(message, JSON_COMPACT),
        .on_item = wish->on_item,
        .done = wish->done,
        .owner = wish->owner,
    };
    json_decref(message);
    list_append(&link->queue, &order->list);
    loop_make_ready(link->loop, &link->ready);
}

static void forget_in(struct list *orders, const void *owner)
{
    LIST_FOR_EACH (at, orders) {
        struct order *order = CONTAINER_OF(at, struct order, list);

        if (order->owner != owner)
            continue;
        order->done = NULL;
        order->on_item = NULL;
    }
}

void dockhand_link_forget(struct dockhand_link *link, const void *owner)
{
    forget_in(&link->sent, owner);
    forget_in(&link->queue, owner);
}

/* ---- messages ---- */

static struct order *find_sent(const struct dockhand_link *link, json_int_t id)
{
    LIST_FOR_EACH (at, &link->sent) {
        struct order *order = CONTAINER_OF(at, struct order, list);

        if (order->id == (uint64_t)id)
            return order;
    }
    return NULL;
}

/* A dockhand says that it works: of what an earlier one was told nothing will be heard. */
static void welcome(struct dockhand_link *link, int result, const char *why)
{
    if (result < 0) {
        log_event(LOG_ERROR, "dockhand.failed", LOG_TEXT("reason", why));
        return;
    }
    if (link->is_welcome) {
        log_event(LOG_WARN, "dockhand.restarted");
        fail_all(link, &link->sent);
        link->on_lost(link->owner);
    }
    link->is_welcome = true;
    loop_make_ready(link->loop, &link->ready);
}

static void take(struct dockhand_link *link, const json_t *message)
{
    json_int_t id = json_integer_value(json_object_get(message, "id"));
    const json_t *item = json_object_get(message, "item");
    const char *why = json_string_value(json_object_get(message, "why"));
    int result = (int)json_integer_value(json_object_get(message, "result"));
    struct order *order;

    if (id == 0) {
        welcome(link, result, why ? why : "");
        return;
    }
    order = find_sent(link, id);
    if (!order)
        return;
    if (!item) {
        answer(link, order, result, message, why ? why : "");
        return;
    }
    if (order->on_item)
        order->on_item(order->owner, item);
}

static void lose(struct dockhand_link *link)
{
    loop_remove(link->loop, &link->watch);
    descriptor_close(&link->watch.fd);
    link->is_welcome = false;
    log_event(LOG_ERROR, "dockhand.lost");
    loop_start_timer(link->loop, &link->restart, DOCKHAND_LINK_PAUSE_US);
    fail_all(link, &link->sent);
    fail_all(link, &link->queue);
    link->on_lost(link->owner);
}

static void on_link_events(struct watch *watch, uint32_t events)
{
    struct dockhand_link *link = CONTAINER_OF(watch, struct dockhand_link, watch);
    char *text = memory_allocate(DOCKHAND_ORDER_BYTES_MAX);

    (void)events;
    for (unsigned i = 0; i < MESSAGES_PER_TURN && watch->fd >= 0; i++) {
        ssize_t size = recv(watch->fd, text, DOCKHAND_ORDER_BYTES_MAX, MSG_DONTWAIT);
        json_t *message;

        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (size <= 0) {
            lose(link);
            break;
        }
        message = json_loadb(text, (size_t)size, 0, NULL);
        take(link, message);
        json_decref(message);
    }
    free(text);
}

/* ---- birth and end ---- */

static int launch(struct dockhand_link *link, struct error *why)
{
    int result = link->launch(link->launch_owner, &link->watch.fd, why);

    if (result < 0)
        return result;
    if (send(link->watch.fd, link->charter, strlen(link->charter), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        result = error_set(why, -errno, "the dockhand takes no charter: %s", strerror(errno));
    if (result == 0) {
        result = loop_add(link->loop, &link->watch, EPOLLIN, on_link_events);
        if (result < 0)
            error_set(why, result, "epoll: %s", strerror(-result));
    }
    if (result < 0)
        descriptor_close(&link->watch.fd);
    return result;
}

static void on_restart(struct timer *timer)
{
    struct dockhand_link *link = CONTAINER_OF(timer, struct dockhand_link, restart);
    struct error why;

    if (launch(link, &why) == 0)
        return;
    log_event(LOG_ERROR, "dockhand.failed", LOG_TEXT("reason", why.text));
    loop_start_timer(link->loop, timer, DOCKHAND_LINK_PAUSE_US);
}

/* What the dockhand would say of it, said before there is one. */
static int check_charter(const char *text, struct error *why)
{
    struct dockhand_charter charter;
    int result;

    if (!text || strlen(text) > DOCKHAND_ORDER_BYTES_MAX)
        return error_set(why, -E2BIG, "the environment of the containers is too long");
    result = dockhand_charter_read(&charter, view_of(text), why);
    if (result == 0)
        dockhand_charter_finish(&charter);
    return result;
}

int dockhand_link_init(struct dockhand_link *link, struct loop *loop,
                       const struct dockhand_charter *charter, dockhand_link_launch_fn launch_fn,
                       void *launch_owner, void (*on_lost)(void *owner), void *owner,
                       struct error *why)
{
    int result;

    *link = (struct dockhand_link){
        .loop = loop,
        .watch.fd = -1,
        .charter = dockhand_charter_write(charter),
        .launch = launch_fn ? launch_fn : launch_process,
        .launch_owner = launch_owner,
        .on_lost = on_lost,
        .owner = owner,
    };
    list_init(&link->sent);
    list_init(&link->queue);
    timer_init(&link->restart, on_restart);
    ready_init(&link->ready, on_ready);
    result = check_charter(link->charter, why);
    if (result == 0)
        result = launch(link, why);
    if (result < 0)
        dockhand_link_finish(link);
    return result;
}

void dockhand_link_finish(struct dockhand_link *link)
{
    timer_stop(&link->restart);
    ready_cancel(&link->ready);
    if (link->watch.fd >= 0)
        loop_remove(link->loop, &link->watch);
    descriptor_close(&link->watch.fd);
    LIST_FOR_EACH (at, &link->sent)
        free_order(CONTAINER_OF(at, struct order, list));
    LIST_FOR_EACH (at, &link->queue)
        free_order(CONTAINER_OF(at, struct order, list));
    free(link->charter);
    link->charter = NULL;
}
