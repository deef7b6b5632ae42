/*
 * Taking over from a keeper that has gone: its workers still serve. Their listening sockets come
 * over first; when our own workers accept on them the old ones are told to drain, and watched until
 * they have ended. Nobody is anybody's parent here: a worker is known by its record in the run
 * folder.
 *
 * Owner: the keeper.
 */
#pragma once

#include "base/list.h"
#include "control/folder.h"
#include "control/listeners.h"
#include "net/loop.h"

/* How long a worker may take to answer; one that takes longer is ended. */
#define TAKEOVER_ANSWER_MS 1000

/* What a worker may take longer to drain than it was told, then it is ended. */
#define TAKEOVER_SLACK_MS 2000

struct takeover {
    struct loop *loop;
    struct folder *folder;
    struct list workers; /* those found alive */
    int *sockets;        /* they listen on; not given to anybody yet */
    unsigned socket_count;
    void (*on_gone)(void *owner); /* the last of them has ended; may be NULL */
    void *owner;
};

/* Finds the workers and takes their listening sockets. Blocks for at most TAKEOVER_ANSWER_MS a
 * worker; those that cannot answer are ended. */
void takeover_begin(struct takeover *takeover, struct loop *loop, struct folder *folder);

/* Does one of the sockets listen there? */
bool takeover_has(const struct takeover *takeover, const struct address *address);

/* Gives the sockets to the addresses they are of; the others are of no use and closed. */
void takeover_give(struct takeover *takeover, struct listeners *listeners);

/* They accept no more and end within that time. */
void takeover_drain(struct takeover *takeover, uint32_t within_ms);

/* They end now. Waits until they have. */
void takeover_kill(struct takeover *takeover);

/* Are none of them left? */
bool takeover_is_over(const struct takeover *takeover);

/* Lets go of those that are left. Harmless on one that is all zeroes. */
void takeover_finish(struct takeover *takeover);
