/*
 * Changes of a pool that nobody calls for: what its configuration stands for has changed, as the
 * addresses of a host name do. They wait for no other call, and no call waits for them.
 *
 *     join   remembered -> started and in the next table, used once it is ready
 *     leave  forgotten -> out of rotation -> out of every worker's table -> drained
 *
 * Owner: the crew.
 */
#pragma once

#include "control/crew.h"

void crew_follow_init(struct crew *crew);

/* What still leaves is no longer waited for. */
void crew_follow_finish(struct crew *crew);

/*
 * Those names become members, as many from the first on as there is room for; how many is returned,
 * or -errno with a sentence where it cannot be done (-EIO: it cannot be remembered). `cause` is
 * told with the event.
 */
MUST_USE int crew_follow_join(struct crew *crew, char (*names)[CREW_NAME_BYTES], unsigned count,
                              const char *cause, struct error *why);

/* Those members leave. -EIO with a sentence where it cannot be remembered: they stay. */
MUST_USE int crew_follow_leave(struct crew *crew, char (*names)[CREW_NAME_BYTES], unsigned count,
                               const char *cause, struct error *why);
