#include "control/crew_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "conn/inbound.h"
#include "control/picture.h"

#define CAUSE_BYTES        128
#define RANDOM_NAME_DIGITS 5

static const char stopping[] = "the balancer is stopping";

struct crew_call {
    struct list list;
    struct crew *crew;
    struct publish_waiter waiter;
    struct timer timer; /* until it is answered as pending */
    char (*names)[CREW_NAME_BYTES];
    struct state_member *rows; /* of an addition */
    struct crew_ref *refs;
    unsigned count;
    unsigned name_count;
    uint32_t weight;
    uint64_t epoch;
    char who[INBOUND_IP_BYTES];
    char cause[CAUSE_BYTES];
    crew_done_fn done; /* NULL: answered */
    void *owner;
    enum crew_kind kind;
};

static struct crew_call *first_call(struct crew *crew)
{
    return LIST_FIRST(&crew->calls.waiting, struct crew_call, list);
}

static void free_call(struct crew_call *call)
{
    publish_cancel(&call->waiter);
    timer_stop(&call->timer);
    list_remove(&call->list);
    free(call->names);
    free(call->rows);
    free(call->refs);
    free(call);
}

/* Tells how it went. The next call may begin, even where this one still waits for its table. */
static void answer(struct crew_call *call, int result, const char *why)
{
    struct crew *crew = call->crew;
    crew_done_fn done = call->done;

    if (!done)
        return;
    call->done = NULL;
    timer_stop(&call->timer);
    list_remove(&call->list);
    list_append(&crew->calls.late, &call->list);
    crew->calls.count--;
    crew->calls.is_busy = false;
    loop_make_ready(crew->loop, &crew->calls.ready);
    done(call->owner, result, why, call->names, call->count);
}

static void refuse(struct crew_call *call, int result, const struct error *why)
{
    answer(call, result, why->text);
    free_call(call);
}

static void on_late(struct timer *timer)
{
    struct crew_call *call = CONTAINER_OF(timer, struct crew_call, timer);

    answer(call, -EINPROGRESS,
           "not every worker has acknowledged the change yet: it stays pending and will be done");
}

static void tell_workers(struct crew_call *call, publish_fn on_adopted)
{
    static const char *const names[] = {"pool.added", "pool.removed", "pool.weighed"};
    struct crew *crew = call->crew;
    struct crew_change change = {.kind = call->kind,
                                 .what = names[call->kind],
                                 .who = call->who,
                                 .cause = call->cause,
                                 .names = call->names,
                                 .count = call->count,
                                 .weight = call->weight};

    crew->placed = crew->publish->epoch + 1;
    publish_change(crew->publish, &call->waiter, on_adopted);
    loop_start_timer(crew->loop, &call->timer, CREW_ADOPTION_US);
    crew->events->on_changed(crew->owner, crew, &change);
}

/* The disk failed: the change is not made. */
static void refuse_unsaved(struct crew_call *call, const struct error *reason)
{
    struct error why;

    log_event(LOG_ERROR, "state.failed", LOG_TEXT("reason", reason->text));
    error_set(&why, 0, "the change cannot be remembered: %.300s", reason->text);
    refuse(call, -EIO, &why);
}

/* ---- adding ---- */

static bool is_name_taken(struct crew *crew, char (*names)[CREW_NAME_BYTES], unsigned count,
                          const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return supervisor_find(crew->supervisor, crew->config->name, name) != NULL;
}

/* Short, and nobody else's. */
static void draw_name(struct crew *crew, char (*names)[CREW_NAME_BYTES], unsigned count,
                      char name[CREW_NAME_BYTES])
{
    static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";

    do {
        char *at = name;

        *at++ = 'r';
        *at++ = '-';
        for (int i = 0; i < RANDOM_NAME_DIGITS; i++)
            *at++ = letters[random_below(sizeof(letters) - 1)];
        *at = '\0';
    } while (is_name_taken(crew, names, count, name));
}

/* Replicas that only the configuration names are nobody's to add or remove. */
static int check_driver(const struct crew *crew, struct error *why)
{
    if (crew->config->replicas.driver != CONFIG_DRIVER_STATIC)
        return 0;
    return error_set(why, -ENOTSUP,
                     "the replicas of service %s are given by the configuration "
                     "(driver: static)",
                     crew->config->name);
}

/* Names those that were only counted, and says whether all may be added. */
static int prepare_add(struct crew_call *call, struct error *why)
{
    struct crew *crew = call->crew;
    int result;

    for (unsigned i = 0; i < call->name_count; i++) {
        if (is_name_taken(crew, NULL, 0, call->names[i]))
            return error_set(why, -EEXIST, "there is a replica '%s' already", call->names[i]);
    }
    if (crew->count + call->count > crew->whole->limits.replicas)
        return error_set(why, -E2BIG,
                         "%u replicas and %u more would exceed limits.replicas, which is %u",
                         crew->count, call->count, crew->whole->limits.replicas);
    for (unsigned i = call->name_count; i < call->count; i++)
        draw_name(crew, call->names, i, call->names[i]);
    result = crew_try_ring(crew, call->names, call->count, why);
    if (result < 0)
        return result;
    return check_driver(crew, why);
}

static void on_add_adopted(struct publish_waiter *waiter)
{
    struct crew_call *call = CONTAINER_OF(waiter, struct crew_call, waiter);

    for (unsigned i = 0; i < call->count; i++) {
        struct replica *replica = crew_find_ref(call->crew, &call->refs[i]);

        if (replica)
            supervisor_confirm(call->crew->supervisor, replica, call->refs[i].incarnation);
    }
    answer(call, 0, NULL);
    free_call(call);
}

static void cancel_rows(struct crew *crew)
{
    struct error why;

    /* Where even that fails they are still pending at the next start, and so never were. */
    if (state_cancel_add(crew->state, crew->config->name, &why) < 0)
        log_event(LOG_ERROR, "state.failed", LOG_TEXT("reason", why.text));
}

static void take_back(struct crew *crew, struct replica **replicas, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        supervisor_drain(crew->supervisor, replicas[i], 0);
    cancel_rows(crew);
}

static void on_added(void *owner, int result, const char *why, struct replica **replicas,
                     unsigned count)
{
    struct crew_call *call = owner;
    struct crew *crew = call->crew;
    struct error sentence;

    if (result < 0) {
        cancel_rows(crew);
        error_set(&sentence, result, "%s", crew->calls.is_closed ? stopping : why);
        if (crew->calls.is_closed)
            result = -ESHUTDOWN;
        refuse(call, result == -ESHUTDOWN || result == -EEXIST ? result : -ECHILD, &sentence);
        return;
    }
    if (state_confirm_add(crew->state, crew->config->name, &sentence) < 0) {
        take_back(crew, replicas, count);
        refuse_unsaved(call, &sentence);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        crew_admit(crew, replicas[i], &call->rows[i]);
        call->refs[i] = crew_ref_of(replicas[i]);
    }
    tell_workers(call, on_add_adopted);
}

/* The new members, as they will be remembered. */
static void make_rows(struct crew_call *call)
{
    uint32_t id = 0;

    call->rows = memory_allocate(call->count * sizeof(*call->rows));
    for (unsigned i = 0; i < call->count; i++) {
        id = crew_free_id(call->crew, id + 1);
        call->rows[i] = (struct state_member){.id = id, .weight = STATE_WEIGHT_CONFIGURED};
        memcpy(call->rows[i].name, call->names[i], sizeof(call->rows[i].name));
    }
}

static void begin_add(struct crew_call *call)
{
    struct crew *crew = call->crew;
    struct supervisor_wish *wishes;
    struct error why;
    int result = prepare_add(call, &why);

    if (result < 0) {
        refuse(call, result, &why);
        return;
    }
    make_rows(call);
    if (state_begin_add(crew->state, crew->config->name, call->rows, call->count, &why) < 0) {
        refuse_unsaved(call, &why);
        return;
    }
    wishes = memory_allocate(call->count * sizeof(*wishes));
    for (unsigned i = 0; i < call->count; i++)
        wishes[i] = (struct supervisor_wish){.name = call->names[i], .plan = &crew->plan};
    result = supervisor_add(crew->supervisor, wishes, call->count, on_added, call, &why);
    free(wishes);
    if (result == 0)
        return;
    cancel_rows(crew);
    refuse(call, result, &why);
}

/* ---- removing ---- */

static bool is_named(const struct crew_call *call, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(call->names[i], name) == 0)
            return true;
    }
    return false;
}

/* The others that go, each of those not named with the same chance. */
static void draw_victims(struct crew_call *call)
{
    struct crew *crew = call->crew;
    unsigned wanted = call->count - call->name_count;
    unsigned left = crew->count - call->name_count;
    unsigned at_name = call->name_count;

    LIST_FOR_EACH (at, &crew->members) {
        struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);

        if (wanted == 0)
            return;
        if (is_named(call, call->name_count, member->name))
            continue;
        if (random_below(left--) >= wanted)
            continue;
        memcpy(call->names[at_name++], member->name, sizeof(member->name));
        wanted--;
    }
}

static int check_remove(struct crew_call *call, struct error *why)
{
    struct crew *crew = call->crew;

    for (unsigned i = 0; i < call->name_count; i++) {
        if (!crew_find(crew, call->names[i]))
            return error_set(why, -ENOENT, "there is no replica '%s'", call->names[i]);
    }
    if (call->count > crew->count)
        return error_set(why, -ERANGE, "there are only %u replicas to remove", crew->count);
    return check_driver(crew, why);
}

static void on_remove_adopted(struct publish_waiter *waiter)
{
    struct crew_call *call = CONTAINER_OF(waiter, struct crew_call, waiter);
    struct crew *crew = call->crew;

    for (unsigned i = 0; i < call->count; i++) {
        struct replica *replica = crew_find_ref(crew, &call->refs[i]);

        if (replica)
            supervisor_drain(crew->supervisor, replica, crew->config->timeouts.drain_ms);
    }
    answer(call, 0, NULL);
    free_call(call);
}

static void begin_remove(struct crew_call *call)
{
    struct crew *crew = call->crew;
    struct error why;
    int result = check_remove(call, &why);

    if (result < 0) {
        refuse(call, result, &why);
        return;
    }
    draw_victims(call);
    if (state_remove(crew->state, crew->config->name, call->names, call->count, &why) < 0) {
        refuse_unsaved(call, &why);
        return;
    }
    for (unsigned i = 0; i < call->count; i++) {
        struct crew_member *member = crew_find(crew, call->names[i]);

        call->refs[i] = crew_ref_of(member->replica);
        crew_dismiss(crew, member);
        supervisor_leave(crew->supervisor, member->replica);
    }
    tell_workers(call, on_remove_adopted);
}

/* ---- weights ---- */

/* `is_unsaved`: it was the disk, whose -ENOSPC is not that of a full ring. */
static int check_weigh(struct crew_call *call, bool *is_unsaved, struct error *why)
{
    struct crew *crew = call->crew;
    struct crew_member *member = crew_find(crew, call->names[0]);
    const struct balance_image *image;
    uint32_t before;
    int result;

    if (!member)
        return error_set(why, -ENOENT, "there is no replica '%s'", call->names[0]);
    before = member->weight;
    member->weight = call->weight == STATE_WEIGHT_CONFIGURED
                         ? crew_configured_weight(crew, member->name)
                         : call->weight;
    crew_displace(crew);
    result = crew_placement(crew, &image, why);
    if (result == 0) {
        result = state_set_weight(crew->state, crew->config->name, member->name, call->weight, why);
        *is_unsaved = result < 0;
    }
    if (result < 0) {
        member->weight = before;
        crew_displace(crew);
    }
    call->weight = member->weight;
    return result;
}

static void on_weigh_adopted(struct publish_waiter *waiter)
{
    struct crew_call *call = CONTAINER_OF(waiter, struct crew_call, waiter);

    answer(call, 0, NULL);
    free_call(call);
}

static void begin_weigh(struct crew_call *call)
{
    struct error why;
    bool is_unsaved = false;
    int result = check_weigh(call, &is_unsaved, &why);

    if (result == 0)
        tell_workers(call, on_weigh_adopted);
    else if (is_unsaved)
        refuse_unsaved(call, &why);
    else
        refuse(call, result, &why);
}

/* ---- the queue ---- */

/* Are keys placed as they were in the table the wish was made for? */
static bool is_stale(const struct crew_call *call)
{
    const struct crew *crew = call->crew;

    return call->epoch && (call->epoch < crew->placed || call->epoch > crew->publish->epoch);
}

static void refuse_all(struct crew *crew)
{
    struct error why;
    struct crew_call *call;

    error_set(&why, -ESHUTDOWN, "%s", stopping);
    while ((call = first_call(crew)) && !crew->calls.is_busy)
        refuse(call, -ESHUTDOWN, &why);
}

/* What is being started for a call is not wanted any more: its batch fails, and with it the call.
 */
static void cut_short(struct crew_call *call)
{
    struct crew *crew = call->crew;
    struct replica *replica;

    if (call->kind != CREW_ADD || call->waiter.on_adopted)
        return;
    replica = supervisor_find(crew->supervisor, crew->config->name, call->names[0]);
    if (replica)
        supervisor_leave(crew->supervisor, replica);
}

static void begin(struct crew_call *call)
{
    static void (*const begins[])(struct crew_call * call) = {begin_add, begin_remove, begin_weigh};
    struct error why;

    if (!is_stale(call)) {
        begins[call->kind](call);
        return;
    }
    error_set(&why, 0, "the pool has changed since epoch %llu", (unsigned long long)call->epoch);
    refuse(call, -ESTALE, &why);
}

static void run_calls(struct ready *ready)
{
    struct crew *crew = CONTAINER_OF(ready, struct crew, calls.ready);
    struct crew_call *call = first_call(crew);

    if (crew->calls.is_closed && call && crew->calls.is_busy)
        cut_short(call);
    if (crew->calls.is_closed) {
        refuse_all(crew);
        return;
    }
    if (!crew->calls.is_open || crew->calls.is_busy || !call)
        return;
    crew->calls.is_busy = true;
    begin(call);
}

void crew_call_ask(struct crew *crew, const struct crew_wish *wish, crew_done_fn done, void *owner)
{
    struct crew_call *call;

    if (crew->calls.is_closed) {
        done(owner, -ESHUTDOWN, stopping, NULL, 0);
        return;
    }
    if (crew->calls.count >= CREW_CALLS_MAX) {
        done(owner, -EBUSY, "too many changes wait already", NULL, 0);
        return;
    }
    call = memory_allocate(sizeof(*call));
    *call = (struct crew_call){
        .crew = crew,
        .kind = wish->kind,
        .count = wish->count,
        .name_count = wish->name_count,
        .names = memory_allocate(wish->count * sizeof(*call->names)),
        .refs = memory_allocate(wish->count * sizeof(*call->refs)),
        .weight = wish->weight,
        .epoch = wish->epoch,
        .done = done,
        .owner = owner,
    };
    if (wish->name_count)
        memcpy(call->names, wish->names, wish->name_count * sizeof(*call->names));
    snprintf(call->who, sizeof(call->who), "%s", wish->who);
    snprintf(call->cause, sizeof(call->cause), "%s", wish->cause);
    list_init(&call->waiter.list);
    timer_init(&call->timer, on_late);
    list_append(&crew->calls.waiting, &call->list);
    crew->calls.count++;
    loop_make_ready(crew->loop, &crew->calls.ready);
}

/* ---- beginning and end ---- */

void crew_call_init(struct crew *crew)
{
    crew->calls = (struct crew_calls){0};
    list_init(&crew->calls.waiting);
    list_init(&crew->calls.late);
    ready_init(&crew->calls.ready, run_calls);
}

void crew_call_open(struct crew *crew)
{
    crew->calls.is_open = true;
    loop_make_ready(crew->loop, &crew->calls.ready);
}

void crew_call_close(struct crew *crew)
{
    crew->calls.is_closed = true;
    loop_make_ready(crew->loop, &crew->calls.ready);
}

void crew_call_finish(struct crew *crew)
{
    crew->calls.is_busy = false;
    refuse_all(crew);
    LIST_FOR_EACH (at, &crew->calls.late) {
        free_call(CONTAINER_OF(at, struct crew_call, list));
    }
    ready_cancel(&crew->calls.ready);
}
