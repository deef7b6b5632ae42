/*
 * Who this balancer is among those of one machine: the containers it starts bear this name, so that
 * it finds them again and touches no others.
 *
 * Files: STATE/node, a line, made with the state folder's first container.
 */
#pragma once

#include "control/folder.h"

#define NODE_NAME_BYTES 33 /* with its zero */

/* $ROOST_NODE, else what STATE/node says, else a new random name, which is written there. -errno
 * with a sentence. */
MUST_USE int node_name(const struct folder *folder, char name[NODE_NAME_BYTES], struct error *why);
