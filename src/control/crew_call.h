/*
 * The calls that change a crew (control/crew.h), one after the other: the way of each from its
 * checks to its answer.
 *
 *     add     checked -> remembered as pending -> started, all ready -> remembered -> in every
 *             worker's table -> answered
 *     remove  checked -> forgotten -> out of rotation -> out of every worker's table -> answered ->
 *             drained
 *     weigh   checked -> remembered -> in every worker's table -> answered
 *
 * Owner: the crew.
 */
#pragma once

#include "control/crew.h"

struct crew_call;

void crew_call_init(struct crew *crew);

/* Those that wait are answered with -ESHUTDOWN. */
void crew_call_finish(struct crew *crew);

/* As crew_open(), crew_close() and crew_ask(). */
void crew_call_open(struct crew *crew);
void crew_call_close(struct crew *crew);
void crew_call_ask(struct crew *crew, const struct crew_wish *wish, crew_done_fn done, void *owner);
