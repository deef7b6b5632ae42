/*
 * What a client is told whose connection or request is refused before anybody answers it.
 */
#pragma once

#include "conn/inbound.h"

/*
 * Writes an answer with `status` to the inbound's connection, which the caller ends: its fields and
 * body are what the group's on_refused says. `reason`: one short sentence.
 */
void refusal_write(struct inbound *inbound, uint16_t status, const char *reason);

/* Takes over `fd` of a connection too many: 503 (of all) or 429 (of this client), as far as the
 * kernel takes it at once, and the end. */
void refusal_turn_away(int fd, uint16_t status);
