/*
 * The end of a container's first process, seen without the Engine, which tells of it only when it
 * has cleared away behind it. It can be seen where that process can: not by a keeper that is in a
 * container itself.
 *
 * Owner of the descriptor: the caller.
 */
#pragma once

#include <sys/types.h>

#include "base/attribute.h"

/* A pidfd of process `pid`, readable once it has ended; -ESRCH where there is no such process here
 * or it is not in the cgroup of `container`, its whole id. */
MUST_USE int driver_docker_exit_open(pid_t pid, const char *container);
