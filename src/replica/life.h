/*
 * The life of one replica, from its birth to its end: what each piece of news (of its driver, of
 * its probes, of a timer, of the owner) makes of it. The supervisor keeps them all together.
 */
#pragma once

#include "replica/supervisor.h"

/* A new replica in a free seat (there must be one), starting, waiting for life_enqueue() or a
 * listing. */
struct replica *life_create(struct supervisor *supervisor, const char *name,
                            const struct replica_plan *plan);

/* The same for something that was found running and that nobody wants: it is stopped. */
void life_create_stray(struct supervisor *supervisor, const char *name,
                       const struct replica_plan *plan, const char *handle);

/* It is to be started, or adopted, when its turn comes: a heal, or what others run, before a new
 * one. */
void life_enqueue(struct replica *replica);

/* Starts or adopts it now. */
void life_launch(struct replica *replica);

/* supervisor_confirm(), supervisor_leave() and supervisor_drain(). */
void life_confirm(struct replica *replica, uint32_t incarnation);
void life_leave(struct replica *replica);
void life_drain(struct replica *replica, uint32_t drain_ms);

/* Ends at once what is draining or stopping. */
void life_kill(struct replica *replica);

/* Its end, once nothing of it runs: on_gone, and its memory goes. */
void life_bury(struct replica *replica);

/* Forgets it without a word; what runs goes on running. */
void life_let_go(struct replica *replica);
