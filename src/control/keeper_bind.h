/* Where a keeper is reached: the addresses of the traffic and of the control port. */
#pragma once

#include "control/keeper.h"

/* Opens every address of the configuration, once for each worker; sockets of an earlier keeper are
 * used again. -errno with a sentence, -EADDRINUSE where somebody else listens there. */
MUST_USE int keeper_bind_traffic(struct keeper *keeper, struct error *why);

/* The same of the control port, and accepts. -EACCES off loopback without a token. */
MUST_USE int keeper_bind_control(struct keeper *keeper, struct error *why);

/* Says it in the log. */
void keeper_bind_say(const struct keeper *keeper);

/* Accepts no more on the control port. */
void keeper_bind_finish(struct keeper *keeper);
