/*
 * One call of supervisor_add(): replicas that become ready all together or are taken back all
 * together.
 * Owner: the supervisor, until its `done` was called.
 */
#pragma once

#include "replica/supervisor.h"

struct batch;

/* Its replicas are told by batch_join(). */
struct batch *batch_create(struct supervisor *supervisor, unsigned count, supervisor_added_fn done,
                           void *owner);

void batch_join(struct batch *batch, struct replica *replica);

/* One of them is ready. */
void batch_note_ready(struct batch *batch);

/* A start of one of them failed: true where it may be tried once more; else the batch has failed.
 */
MUST_USE bool batch_may_retry(struct batch *batch, struct replica *replica);

/* Takes all of them back; done(result, "NAME: why") follows. */
void batch_fail(struct batch *batch, int result, const struct replica *replica, const char *why);

/* Calls the `done` of those that are over. */
void batch_run_done(struct supervisor *supervisor);

/* Forgets all of them, without a word. */
void batch_forget_all(struct supervisor *supervisor);
