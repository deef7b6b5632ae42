/*
 * What has happened lately: numbered events, kept as they are sent, the oldest forgotten first.
 *
 *     id: 6a3f0c1e-57
 *     event: pool.added
 *     data: {"number":57,"run":"6a3f0c1e","at":"2026-11-20T05:00:00.123Z","what":"pool.added",...}
 *
 * An event is named by the run of the keeper and its number in it (WHATWG HTML 9.2, server-sent
 * events), so that who comes back after a restart is told that he missed something.
 *
 * Owner: the keeper.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/view.h"

#define EVENTS_KEPT_MAX  4096       /* and no more than ... */
#define EVENTS_BYTES_MAX (4u << 20) /* ... bytes of them together; the newest is kept always */
#define EVENTS_RUN_BYTES 17

struct events_listener;
typedef void (*events_fn)(struct events_listener *listener);

/* Somebody who wants to know that there are new ones. Owner: the struct it is embedded in. */
struct events_listener {
    struct list list;
    events_fn on_event;
};

struct events_one {
    uint64_t number;
    size_t frame_bytes; /* all that is sent of it */
    size_t data;        /* where its JSON begins */
    char frame[];
};

struct events {
    struct events_one *kept[EVENTS_KEPT_MAX]; /* by number */
    uint64_t first;                           /* number of the oldest one kept */
    uint64_t next;                            /* number of the next one to come; the first is 1 */
    size_t bytes;
    struct list listeners;
    char run[EVENTS_RUN_BYTES];
};

/* None yet. `run` tells this run of the keeper from others. */
void events_init(struct events *events, uint64_t run);

/* Nobody listens any more. */
void events_finish(struct events *events);

/* Takes over the reference to `details`, the fields that follow number, run, at and what. Returns
 * the event's number. Listeners are told before it returns: they send later. */
uint64_t events_add(struct events *events, const char *what, json_t *details);

/* The event of that number, NULL where it is forgotten or still to come. Valid until the next
 * events_add(). */
const struct events_one *events_find(const struct events *events, uint64_t number);

static inline struct view events_frame(const struct events_one *one)
{
    return (struct view){one->frame, one->frame_bytes};
}

/* The JSON alone. */
struct view events_data(const struct events_one *one);

/*
 * Where somebody goes on who has had the event `id`: *next is the number of the next one for him,
 * *missed says whether some before it are forgotten. -EINVAL where it is no id.
 */
int events_resume(const struct events *events, struct view id, uint64_t *next, bool *missed);

void events_listen(struct events *events, struct events_listener *listener, events_fn on_event);

/* Harmless on one that does not listen but was initialised. */
void events_ignore(struct events_listener *listener);
