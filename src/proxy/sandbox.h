/*
 * Locks a worker in: it parses what strangers send, so it can open no file, start no process, and
 * reach no socket but IPv4 and IPv6. Applied when all descriptors have arrived.
 *
 *   1. no core dumps with clients' data (PR_SET_DUMPABLE), no new privileges (PR_SET_NO_NEW_PRIVS);
 *   2. started as root: another user (SANDBOX_UID), no supplementary groups, no capabilities;
 *   3. seccomp (libseccomp): a list of calls. Hot ones without argument checks; execve, ptrace,
 * open, foreign socket families and executable mappings kill; anything else is EPERM.
 */
#pragma once

#include "base/error.h"

/* Whom a worker started as root becomes. */
#define SANDBOX_UID 10001
#define SANDBOX_GID 10001

/* Locks this process in. A failure means that the worker must not serve. */
MUST_USE int sandbox_enter(struct error *why);
