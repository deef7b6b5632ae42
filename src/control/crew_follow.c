#include "control/crew_follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

#define WHO "roost"

/* Replicas that leave together. */
struct departure {
    struct list list;
    struct crew *crew;
    struct publish_waiter waiter;
    unsigned count;
    struct crew_ref refs[];
};

static int fail_unsaved(const struct error *reason, struct error *why)
{
    return error_set(why, -EIO, "the change cannot be remembered: %.300s", reason->text);
}

static void tell(struct crew *crew, enum crew_kind kind, char (*names)[CREW_NAME_BYTES],
                 unsigned count, const char *cause)
{
    struct crew_change change = {.kind = kind,
                                 .what = kind == CREW_ADD ? "pool.added" : "pool.removed",
                                 .who = WHO,
                                 .cause = cause,
                                 .names = names,
                                 .count = count};

    crew->placed = crew->publish->epoch + 1;
    crew->events->on_changed(crew->owner, crew, &change);
}

/* ---- joining ---- */

/* Replicas of all services that do not leave. */
static unsigned count_staying(const struct supervisor *supervisor)
{
    unsigned count = 0;

    LIST_FOR_EACH (at, &supervisor->all)
        count += !replica_is_leaving(CONTAINER_OF(at, struct replica, list));
    return count;
}

/* How many more the limits, the seats and a classic ring have room for. */
static unsigned room_for(struct crew *crew, char (*names)[CREW_NAME_BYTES], unsigned count)
{
    unsigned most = crew->whole->limits.replicas;
    unsigned staying = count_staying(crew->supervisor);
    unsigned seats = REPLICA_SEATS_MAX - crew->supervisor->count;
    unsigned room = staying < most ? most - staying : 0;
    struct error why;

    room = room < seats ? room : seats;
    room = room < count ? room : count;
    while (room && crew_try_ring(crew, names, room, &why) < 0)
        room--;
    return room;
}

static struct state_member *make_rows(const struct crew *crew, char (*names)[CREW_NAME_BYTES],
                                      unsigned count)
{
    struct state_member *rows = memory_allocate(count * sizeof(*rows));
    uint32_t id = 0;

    for (unsigned i = 0; i < count; i++) {
        id = crew_free_id(crew, id + 1);
        rows[i] = (struct state_member){.id = id, .weight = STATE_WEIGHT_CONFIGURED};
        memcpy(rows[i].name, names[i], sizeof(rows[i].name));
    }
    return rows;
}

static int start(struct crew *crew, char (*names)[CREW_NAME_BYTES], const struct state_member *rows,
                 unsigned count, struct error *why)
{
    struct supervisor_wish *wishes = memory_allocate(count * sizeof(*wishes));
    int result;

    for (unsigned i = 0; i < count; i++)
        wishes[i] = (struct supervisor_wish){.name = names[i], .plan = &crew->plan};
    result = supervisor_restore(crew->supervisor, wishes, count, why);
    for (unsigned i = 0; result == 0 && i < count; i++)
        crew_admit(crew, supervisor_find(crew->supervisor, crew->config->name, names[i]), &rows[i]);
    free(wishes);
    return result;
}

int crew_follow_join(struct crew *crew, char (*names)[CREW_NAME_BYTES], unsigned count,
                     const char *cause, struct error *why)
{
    struct state_member *rows;
    struct error reason;
    int result;

    count = room_for(crew, names, count);
    if (count == 0)
        return 0;
    rows = make_rows(crew, names, count);
    result = state_add(crew->state, crew->config->name, rows, count, &reason);
    if (result < 0) {
        free(rows);
        return fail_unsaved(&reason, why);
    }
    result = start(crew, names, rows, count, why);
    free(rows);
    if (result < 0) {
        (void)!state_remove(crew->state, crew->config->name, names, count, &reason);
        return result;
    }
    publish_change(crew->publish, NULL, NULL);
    tell(crew, CREW_ADD, names, count, cause);
    return (int)count;
}

/* ---- leaving ---- */

static void free_departure(struct departure *departure)
{
    publish_cancel(&departure->waiter);
    list_remove(&departure->list);
    free(departure);
}

static void on_left(struct publish_waiter *waiter)
{
    struct departure *departure = CONTAINER_OF(waiter, struct departure, waiter);
    struct crew *crew = departure->crew;

    for (unsigned i = 0; i < departure->count; i++) {
        struct replica *replica = crew_find_ref(crew, &departure->refs[i]);

        if (replica)
            supervisor_drain(crew->supervisor, replica, crew->config->timeouts.drain_ms);
    }
    free_departure(departure);
}

int crew_follow_leave(struct crew *crew, char (*names)[CREW_NAME_BYTES], unsigned count,
                      const char *cause, struct error *why)
{
    struct departure *departure;
    struct error reason;

    if (state_remove(crew->state, crew->config->name, names, count, &reason) < 0)
        return fail_unsaved(&reason, why);
    departure = memory_allocate(sizeof(*departure) + count * sizeof(departure->refs[0]));
    departure->crew = crew;
    list_append(&crew->departures, &departure->list);
    for (unsigned i = 0; i < count; i++) {
        struct crew_member *member = crew_find(crew, names[i]);

        if (!member)
            continue;
        departure->refs[departure->count++] = crew_ref_of(member->replica);
        crew_dismiss(crew, member);
        supervisor_leave(crew->supervisor, member->replica);
    }
    publish_change(crew->publish, &departure->waiter, on_left);
    tell(crew, CREW_REMOVE, names, count, cause);
    return 0;
}

/* ---- beginning and end ---- */

void crew_follow_init(struct crew *crew)
{
    list_init(&crew->departures);
}

void crew_follow_finish(struct crew *crew)
{
    LIST_FOR_EACH (at, &crew->departures) {
        free_departure(CONTAINER_OF(at, struct departure, list));
    }
}
