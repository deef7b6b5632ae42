#include "control/publish.h"

#include <unistd.h>

#include "base/log.h"

static void on_ready(struct ready *ready);
static void on_retry(struct timer *timer);

void publish_init(struct publish *publish, struct loop *loop, struct workers *workers,
                  struct supervisor *supervisor, publish_build_fn build, void *owner,
                  uint64_t epoch)
{
    *publish = (struct publish){
        .loop = loop,
        .workers = workers,
        .supervisor = supervisor,
        .build = build,
        .owner = owner,
        .epoch = epoch,
        .adopted = epoch,
        .is_held = true,
    };
    ready_init(&publish->ready, on_ready);
    timer_init(&publish->retry, on_retry);
    list_init(&publish->waiters);
}

void publish_finish(struct publish *publish)
{
    ready_cancel(&publish->ready);
    timer_stop(&publish->retry);
    table_unmap(publish->table);
    publish->table = NULL;
}

int publish_now(struct publish *publish, struct error *why)
{
    const struct table *table;
    int fd;
    int result = publish->build(publish->owner, publish->epoch + 1, &fd, why);

    if (result < 0)
        return result;
    result = table_map(fd, &table, why);
    if (result < 0) {
        close(fd);
        return result;
    }
    publish->is_wanted = false;
    publish->is_held = false;
    publish->epoch++;
    if (publish->on_table)
        publish->on_table(publish->owner, publish->table, table);
    table_unmap(publish->table);
    publish->table = table;
    supervisor_epoch_published(publish->supervisor, publish->epoch);
    workers_send_table(publish->workers, publish->epoch, fd);
    log_event(LOG_DEBUG, "table.published", LOG_NUMBER("epoch", publish->epoch),
              LOG_TEXT("digest", table->digest));
    publish_look(publish);
    return 0;
}

static void on_ready(struct ready *ready)
{
    struct publish *publish = CONTAINER_OF(ready, struct publish, ready);
    struct error why;

    if (publish->is_held)
        return;
    if (!publish->is_wanted || publish_now(publish, &why) == 0) {
        publish_look(publish);
        return;
    }
    log_event(LOG_ERROR, "table.failed", LOG_TEXT("reason", why.text));
    loop_start_timer(publish->loop, &publish->retry, PUBLISH_RETRY_US);
}

static void on_retry(struct timer *timer)
{
    struct publish *publish = CONTAINER_OF(timer, struct publish, retry);

    loop_make_ready(publish->loop, &publish->ready);
}

void publish_await(struct publish *publish, struct publish_waiter *waiter, publish_fn on_adopted)
{
    struct list *next = publish->waiters.next;

    waiter->epoch = publish->epoch;
    waiter->on_adopted = on_adopted;
    while (next != &publish->waiters &&
           CONTAINER_OF(next, struct publish_waiter, list)->epoch <= waiter->epoch)
        next = next->next;
    list_append(next, &waiter->list);
    loop_make_ready(publish->loop, &publish->ready);
}

void publish_change(struct publish *publish, struct publish_waiter *waiter, publish_fn on_adopted)
{
    publish->is_wanted = true;
    loop_make_ready(publish->loop, &publish->ready);
    if (!waiter)
        return;
    waiter->epoch = publish->epoch + 1;
    waiter->on_adopted = on_adopted;
    list_append(&publish->waiters, &waiter->list);
}

void publish_cancel(struct publish_waiter *waiter)
{
    if (waiter->on_adopted)
        list_remove(&waiter->list);
    waiter->on_adopted = NULL;
}

void publish_look(struct publish *publish)
{
    uint64_t adopted = workers_adopted(publish->workers);
    struct publish_waiter *waiter;

    if (adopted > publish->epoch)
        adopted = publish->epoch;
    if (adopted > publish->adopted) {
        publish->adopted = adopted;
        supervisor_epoch_adopted(publish->supervisor, adopted);
    }
    while ((waiter = LIST_FIRST(&publish->waiters, struct publish_waiter, list)) &&
           waiter->epoch <= publish->adopted) {
        publish_fn on_adopted = waiter->on_adopted;

        list_remove(&waiter->list);
        waiter->on_adopted = NULL;
        on_adopted(waiter);
    }
}
