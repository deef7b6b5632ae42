/*
 * What a state folder remembers: the desired pool of each service and the declaration it was
 * started from. SQLite, every change one transaction that is on the disk when it is answered (WAL,
 * synchronous FULL).
 *
 * A replica that is being added is pending until the call is confirmed: what is still pending at
 * the next start never was.
 *
 * Owner: the keeper, who has the state folder locked.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attribute.h"
#include "base/error.h"

#define STATE_NAME_BYTES        64
#define STATE_WEIGHT_CONFIGURED UINT32_MAX /* nobody changed it: what the configuration says */

struct state;

/* A member of a pool. */
struct state_member {
    char name[STATE_NAME_BYTES];
    uint32_t id;
    uint32_t weight;
};

/* What is remembered of a service. Owner: the caller; ends with state_forget_pool(). */
struct state_pool {
    char *declaration;            /* NULL: the service is not known */
    struct state_member *members; /* oldest first */
    unsigned count;
    bool is_redeclared; /* it was made of another one by a changed declaration */
};

/* Opens (or makes) the state in `folder`; with `forgets` what was remembered is gone. -errno with
 * a sentence. */
MUST_USE int state_open(struct state **state, const char *folder, bool forgets, struct error *why);

/* NULL is harmless. */
void state_close(struct state *state);

MUST_USE int state_load(struct state *state, const char *service, struct state_pool *pool,
                        struct error *why);
void state_forget_pool(struct state_pool *pool);

/* Replaces everything that is remembered of a service. On failure nothing has changed, here and
 * below. */
MUST_USE int state_replace(struct state *state, const char *service, const struct state_pool *pool,
                           struct error *why);

/* Removes the services that are not in the list. */
MUST_USE int state_keep_services(struct state *state, const char *const *services, unsigned count,
                                 struct error *why);

/* They are members at once. */
MUST_USE int state_add(struct state *state, const char *service, const struct state_member *members,
                       unsigned count, struct error *why);

/* They are about to be added. */
MUST_USE int state_begin_add(struct state *state, const char *service,
                             const struct state_member *members, unsigned count, struct error *why);

/* They are members from now on. */
MUST_USE int state_confirm_add(struct state *state, const char *service, struct error *why);

/* They never were. */
MUST_USE int state_cancel_add(struct state *state, const char *service, struct error *why);

MUST_USE int state_remove(struct state *state, const char *service, char (*names)[STATE_NAME_BYTES],
                          unsigned count, struct error *why);

MUST_USE int state_set_weight(struct state *state, const char *service, const char *name,
                              uint32_t weight, struct error *why);

/* A number that is remembered under that name; 0 where there is none. */
uint64_t state_number(struct state *state, const char *name);
MUST_USE int state_set_number(struct state *state, const char *name, uint64_t number,
                              struct error *why);
