/*
 * Locks a worker in: it parses what strangers send, so it can open no file, start no process, and
 * reach no socket but TCP over IPv4 and IPv6. Applied when all descriptors have arrived.
 *
 *   1. started as root: another user (SANDBOX_UID), no supplementary groups; no capabilities;
 *   2. no core dumps with clients' data (PR_SET_DUMPABLE), no new privileges (PR_SET_NO_NEW_PRIVS);
 *   3. seccomp (base/jail.h): a list of calls. The hot ones have no argument checks, so that the
 *      kernel (5.11 on) remembers them as allowed and runs no filter for them.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* Whom a worker started as root becomes. */
#define SANDBOX_UID 10001
#define SANDBOX_GID 10001

/*
 * Locks this process in. A failure means that the worker must not serve. Root without the right to
 * become somebody else (a container without CAP_SETUID, a namespace without that user) stays root
 * without capabilities; that is logged.
 */
MUST_USE int sandbox_enter(struct error *why);

/* Calls answered with EPERM so far: each is a mistake of ours or an attack. Once a turn: the first
 * ones are logged by name. */
uint64_t sandbox_refusals(void);
