#include "replica/batch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "replica/life.h"

struct batch {
    struct list list;
    struct supervisor *supervisor;
    supervisor_added_fn done;
    void *owner;
    int result;
    bool is_over;
    char why[ERROR_TEXT_BYTES];
    unsigned count;
    unsigned capacity;
    struct replica *replicas[];
};

struct batch *batch_create(struct supervisor *supervisor, unsigned count, supervisor_added_fn done,
                           void *owner)
{
    struct batch *batch = memory_allocate(sizeof(*batch) + count * sizeof(struct replica *));

    batch->supervisor = supervisor;
    batch->done = done;
    batch->owner = owner;
    batch->capacity = count;
    list_init(&batch->list);
    list_append(&supervisor->batches, &batch->list);
    return batch;
}

void batch_join(struct batch *batch, struct replica *replica)
{
    assert(batch->count < batch->capacity);
    batch->replicas[batch->count++] = replica;
    replica->batch = batch;
}

static void finish(struct batch *batch, int result)
{
    for (unsigned i = 0; i < batch->count; i++)
        batch->replicas[i]->batch = NULL;
    batch->result = result;
    batch->is_over = true;
    loop_make_ready(batch->supervisor->loop, &batch->supervisor->ready);
}

void batch_note_ready(struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) {
        if (batch->replicas[i]->state != REPLICA_READY)
            return;
    }
    finish(batch, 0);
}

bool batch_may_retry(struct batch *batch, struct replica *replica)
{
    (void)batch;
    return ++replica->batch_failures < SUPERVISOR_BATCH_STARTS_MAX;
}

void batch_fail(struct batch *batch, int result, const struct replica *replica, const char *why)
{
    snprintf(batch->why, sizeof(batch->why), "%s: %s", replica->name, why);
    finish(batch, result);
    for (unsigned i = 0; i < batch->count; i++)
        life_drain(batch->replicas[i], 0);
}

void batch_run_done(struct supervisor *supervisor)
{
    struct list over;

    list_init(&over);
    LIST_FOR_EACH (at, &supervisor->batches) {
        if (CONTAINER_OF(at, struct batch, list)->is_over) {
            list_remove(at);
            list_append(&over, at);
        }
    }
    while (!list_is_empty(&over)) {
        struct batch *batch = LIST_FIRST(&over, struct batch, list);

        list_remove(&batch->list);
        batch->done(batch->owner, batch->result, batch->result ? batch->why : NULL, batch->replicas,
                    batch->count);
        free(batch);
    }
}

void batch_forget_all(struct supervisor *supervisor)
{
    while (!list_is_empty(&supervisor->batches)) {
        struct batch *batch = LIST_FIRST(&supervisor->batches, struct batch, list);

        list_remove(&batch->list);
        free(batch);
    }
}
