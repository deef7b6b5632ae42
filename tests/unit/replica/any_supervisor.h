/* A supervisor of one service, its owner, and a driver that runs nothing. */
#pragma once

#include "any_driver.h"

#include "replica/supervisor.h"

static struct supervisor supervisor;
static struct any_driver driver;
static struct replica_plan plan;

/* What the owner heard. */
static unsigned added_count;
static int added_result;
static char added_why[ERROR_TEXT_BYTES];
static unsigned ready_count;
static struct replica *last_ready;
static unsigned gone_count;
static unsigned stopped_count;
static bool confirms_at_once;
static bool is_idle;
static char states[4096]; /* "name:state " in order */

static inline void note_state(void *owner, struct replica *replica, enum replica_state before)
{
    size_t size = strlen(states);

    (void)owner;
    if (before != REPLICA_GONE || replica->state == REPLICA_STOPPING)
        assert_true(before == REPLICA_GONE || replica_may_become(before, replica->state));
    snprintf(states + size, sizeof(states) - size, "%s:%s ", replica->name,
             replica_state_name(replica->state));
}

static inline void note_ready(void *owner, struct replica *replica)
{
    (void)owner;
    ready_count++;
    last_ready = replica;
    if (confirms_at_once)
        supervisor_confirm(&supervisor, replica, replica->incarnation);
}

static inline bool tell_idle(void *owner, const struct replica *replica)
{
    (void)owner;
    (void)replica;
    return is_idle;
}

static inline void note_gone(void *owner, struct replica *replica)
{
    (void)owner;
    assert_int_equal(REPLICA_GONE, replica->state);
    gone_count++;
}

static const struct supervisor_events events = {
    .on_state = note_state,
    .on_ready = note_ready,
    .is_idle = tell_idle,
    .on_gone = note_gone,
};

static inline void note_added(void *owner, int result, const char *why, struct replica **replicas,
                              unsigned count)
{
    (void)owner;
    added_count++;
    added_result = result;
    snprintf(added_why, sizeof(added_why), "%s", why ? why : "");
    for (unsigned i = 0; result == 0 && i < count; i++)
        supervisor_confirm(&supervisor, replicas[i], replicas[i]->incarnation);
}

static inline void note_stopped(void *owner)
{
    (void)owner;
    stopped_count++;
}

static inline int begin(void **state)
{
    (void)state;
    any_begin();
    for (unsigned port = 0; port < 65536; port++)
        any_answers[port] = ANY_OK;
    any_driver_begin(&driver);
    plan = (struct replica_plan){
        .service = "web",
        .driver = &driver.driver,
        .health = {.path = "/heartbeat",
                   .interval_ms = 500,
                   .timeout_ms = 200,
                   .fall = 2,
                   .rise = 2,
                   .start_ms = 10000},
        .grace_ms = 5000,
    };
    added_count = ready_count = gone_count = stopped_count = 0;
    added_result = 1;
    confirms_at_once = true;
    is_idle = true;
    states[0] = '\0';
    supervisor_init(&supervisor, &any_socks, &events, NULL);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    supervisor_finish(&supervisor);
    any_turn();
    any_driver_finish(&driver);
    any_end();
    return 0;
}

static inline int add(const char *const *names, unsigned count)
{
    struct supervisor_wish wishes[8];

    for (unsigned i = 0; i < count; i++)
        wishes[i] = (struct supervisor_wish){.name = names[i], .plan = &plan};
    return supervisor_add(&supervisor, wishes, count, note_added, NULL, NULL);
}

static inline int add_one(const char *name)
{
    return add(&name, 1);
}

static inline struct replica *find(const char *name)
{
    return supervisor_find(&supervisor, "web", name);
}

/* Adds it and waits until it is up. */
static inline struct replica *raise_one(const char *name)
{
    assert_int_equal(0, add_one(name));
    any_pass(20 * ANY_MS);
    assert_int_equal(REPLICA_UP, find(name)->state);
    return find(name);
}

static inline void kill_one(const char *name)
{
    any_run_end(any_driver_last(&driver, name), DRIVER_KILLED, "killed by SIGKILL");
}
