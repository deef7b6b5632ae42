#include "control/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

/* Of a frame beside its JSON. */
#define FRAME_BYTES 160

void events_init(struct events *events, uint64_t run)
{
    memset(events, 0, sizeof(*events));
    events->first = 1;
    events->next = 1;
    list_init(&events->listeners);
    snprintf(events->run, sizeof(events->run), "%" PRIx64, run);
}

static struct events_one **place_of(struct events *events, uint64_t number)
{
    return &events->kept[number % EVENTS_KEPT_MAX];
}

static void forget_oldest(struct events *events)
{
    struct events_one **place = place_of(events, events->first++);

    events->bytes -= (*place)->frame_bytes;
    free(*place);
    *place = NULL;
}

void events_finish(struct events *events)
{
    while (events->first < events->next)
        forget_oldest(events);
}

/* The whole event as JSON, the caller's to free(). */
static char *make_data(const struct events *events, const char *what, json_t *details)
{
    char at[CLOCK_TEXT_BYTES];
    json_t *whole;
    char *text;

    clock_to_text(clock_wall_ms(), at);
    whole = json_pack("{s:I, s:s, s:s, s:s}", "number", (json_int_t)events->next, "run",
                      events->run, "at", at, "what", what);
    json_object_update(whole, details);
    text = json_dumps(whole, JSON_COMPACT);
    json_decref(whole);
    json_decref(details);
    return text ? text : memory_copy_text("{}");
}

static struct events_one *make_one(const struct events *events, const char *what, const char *data)
{
    size_t data_bytes = strlen(data);
    struct events_one *one = memory_allocate(sizeof(*one) + FRAME_BYTES + data_bytes);
    int size =
        snprintf(one->frame, FRAME_BYTES, "id: %s-%" PRIu64 "\nevent: %.64s\ndata: ", events->run,
                 events->next, what);

    one->number = events->next;
    one->data = (size_t)size;
    memcpy(one->frame + size, data, data_bytes);
    memcpy(one->frame + size + data_bytes, "\n\n", 2);
    one->frame_bytes = (size_t)size + data_bytes + 2;
    return one;
}

uint64_t events_add(struct events *events, const char *what, json_t *details)
{
    char *data = make_data(events, what, details);
    struct events_one *one = make_one(events, what, data);

    free(data);
    while (events->first < events->next && (events->next - events->first >= EVENTS_KEPT_MAX ||
                                            events->bytes + one->frame_bytes > EVENTS_BYTES_MAX))
        forget_oldest(events);
    *place_of(events, events->next++) = one;
    events->bytes += one->frame_bytes;
    LIST_FOR_EACH (at, &events->listeners) {
        struct events_listener *listener = CONTAINER_OF(at, struct events_listener, list);

        listener->on_event(listener);
    }
    return one->number;
}

const struct events_one *events_find(const struct events *events, uint64_t number)
{
    if (number < events->first || number >= events->next)
        return NULL;
    return events->kept[number % EVENTS_KEPT_MAX];
}

struct view events_data(const struct events_one *one)
{
    return (struct view){one->frame + one->data, one->frame_bytes - one->data - 2};
}

int events_resume(const struct events *events, struct view id, uint64_t *next, bool *missed)
{
    struct view run = view_first(id, view_find(id, '-'));
    uint64_t number;

    if (run.size == 0 || run.size >= EVENTS_RUN_BYTES ||
        view_to_number(view_after(id, run.size + 1), UINT64_MAX - 1, &number) < 0)
        return -EINVAL;
    *missed = true;
    *next = events->first;
    if (!view_equals(run, view_of(events->run)) || number >= events->next)
        return 0;
    *missed = number + 1 < events->first;
    if (!*missed)
        *next = number + 1;
    return 0;
}

void events_listen(struct events *events, struct events_listener *listener, events_fn on_event)
{
    listener->on_event = on_event;
    list_append(&events->listeners, &listener->list);
}

void events_ignore(struct events_listener *listener)
{
    list_remove(&listener->list);
}
