#include "api/api_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "control/keeper.h"

/* A comment that often shows both sides that the other one is there. */
#define BEAT_US     (10 * CLOCK_US_PER_S)
#define BEATS_STUCK 3 /* without having taken anything */

/* What waits in the kernel and here before more is given. */
#define AHEAD_BYTES (64 * 1024)

#define NUMBER_BYTES 32
#define GAP_BYTES    128

/* Somebody who gets events. Its request's `work`. */
struct follower {
    struct api_request *request;
    struct events *events;
    struct loop *loop;
    struct events_listener listener;
    struct ready ready;
    struct timer beat;
    struct garbage garbage;
    uint64_t next; /* number of the next event to send */
    unsigned stuck;
    bool follows; /* those to come, too */
    char gap[GAP_BYTES];
};

static unsigned follower_count(const struct events *events)
{
    unsigned count = 0;

    LIST_FOR_EACH (at, &events->listeners) {
        count++;
    }
    return count;
}

static void destroy_follower(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct follower, garbage));
}

static void end_follower(struct follower *follower)
{
    struct api_request *request = follower->request;

    events_ignore(&follower->listener);
    ready_cancel(&follower->ready);
    timer_stop(&follower->beat);
    request->on_gone = NULL;
    request->on_drained = NULL;
    loop_dispose(follower->loop, &follower->garbage, destroy_follower);
    api_release(request);
}

static void on_gone(struct api_request *request)
{
    end_follower(request->work);
}

static void cut(struct follower *follower)
{
    api_cut(follower->request);
    end_follower(follower);
}

/* True while more may be sent at once. */
static bool has_room(const struct follower *follower)
{
    return stream_queued(follower->request->stream) == 0;
}

static void send_more(struct follower *follower)
{
    size_t ahead = 0;

    while (follower->next < follower->events->next) {
        const struct events_one *one = events_find(follower->events, follower->next);

        /* The ring has gone on without him. */
        if (!one) {
            cut(follower);
            return;
        }
        if (ahead >= AHEAD_BYTES) {
            if (!has_room(follower))
                return;
            ahead = 0;
        }
        if (!api_send(follower->request, events_frame(one))) {
            end_follower(follower);
            return;
        }
        ahead += one->frame_bytes;
        follower->next++;
    }
    if (follower->follows)
        return;
    api_end_long(follower->request);
    end_follower(follower);
}

static void on_ready(struct ready *ready)
{
    struct follower *follower = CONTAINER_OF(ready, struct follower, ready);

    if (has_room(follower))
        send_more(follower);
}

static void on_drained(struct api_request *request)
{
    struct follower *follower = request->work;

    follower->stuck = 0;
    loop_make_ready(follower->loop, &follower->ready);
}

static void on_event(struct events_listener *listener)
{
    struct follower *follower = CONTAINER_OF(listener, struct follower, listener);

    loop_make_ready(follower->loop, &follower->ready);
}

static void on_beat(struct timer *timer)
{
    struct follower *follower = CONTAINER_OF(timer, struct follower, beat);

    if (!has_room(follower)) {
        if (++follower->stuck >= BEATS_STUCK) {
            cut(follower);
            return;
        }
    } else if (!api_send(follower->request, VIEW(": still here\n\n"))) {
        end_follower(follower);
        return;
    }
    loop_start_timer(follower->loop, &follower->beat, BEAT_US);
}

/* Where to begin: false after an answer of 400. */
static bool find_beginning(struct api_request *request, const struct events *events, uint64_t *next,
                           bool *missed)
{
    char text[sizeof(request->last_event_id)];
    uint64_t last = 0;

    *missed = false;
    *next = events->next;
    snprintf(text, sizeof(text), "%s", request->last_event_id);
    if (text[0] || api_query(request, "last-event-id", text, sizeof(text))) {
        if (events_resume(events, view_of(text), next, missed) == 0)
            return true;
        api_fail(request, 400, "'%s' is the id of no event", text);
        return false;
    }
    if (!api_query(request, "last", text, sizeof(text)))
        return true;
    if (view_to_number(view_of(text), EVENTS_KEPT_MAX, &last) < 0) {
        api_fail(request, 400, "'last' is not a number up to %d", EVENTS_KEPT_MAX);
        return false;
    }
    if (last > events->next - events->first)
        last = events->next - events->first;
    *next = events->next - last;
    return true;
}

static bool wants_to_follow(const struct api_request *request)
{
    char text[NUMBER_BYTES];

    return !api_query(request, "follow", text, sizeof(text)) || strcmp(text, "false") != 0;
}

static struct follower *make_follower(struct api_request *request, uint64_t next)
{
    struct keeper *keeper = request->api->keeper;
    struct follower *follower = memory_allocate(sizeof(*follower));

    follower->request = request;
    follower->events = &keeper->events;
    follower->loop = &keeper->loop;
    follower->next = next;
    follower->follows = wants_to_follow(request);
    list_init(&follower->listener.list);
    ready_init(&follower->ready, on_ready);
    timer_init(&follower->beat, on_beat);
    request->work = follower;
    return follower;
}

static void begin_follower(struct follower *follower, bool missed)
{
    struct api_request *request = follower->request;
    int size = snprintf(follower->gap, sizeof(follower->gap),
                        "event: gap\ndata: {\"what\":\"gap\",\"run\":\"%s\",\"next\":%llu}\n\n",
                        follower->events->run, (unsigned long long)follower->next);

    api_hold(request);
    request->on_gone = on_gone;
    request->on_drained = on_drained;
    events_listen(follower->events, &follower->listener, on_event);
    loop_start_timer(follower->loop, &follower->beat, BEAT_US);
    if (!api_begin_long(request, "text/event-stream") ||
        !api_send(request, missed ? (struct view){follower->gap, (size_t)size} : VIEW(":\n\n"))) {
        cut(follower);
        return;
    }
    loop_make_ready(follower->loop, &follower->ready);
}

void api_events(struct api_request *request)
{
    const struct events *events = &request->api->keeper->events;
    uint64_t next;
    bool missed;

    if (!find_beginning(request, events, &next, &missed))
        return;
    if (follower_count(events) >= API_EVENTS_FOLLOWERS_MAX) {
        api_fail(request, 503, "%d clients follow the events already", API_EVENTS_FOLLOWERS_MAX);
        return;
    }
    api_add_field(request, "Cache-Control", "no-store");
    if (request->method == METHOD_HEAD) {
        api_answer(request, 200, "text/event-stream", VIEW(""));
        return;
    }
    begin_follower(make_follower(request, next), missed);
}
