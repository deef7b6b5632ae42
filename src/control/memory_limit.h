/* How much memory this process may use. */
#pragma once

#include <stdint.h>

/* The machine's memory, or less where a control group says so; at least 1. */
uint64_t memory_limit_bytes(void);

/*
 * The least that the control groups listed in the file `groups` (as in /proc/self/cgroup) or any
 * above them allow, version 1 or 2, mounted at `mount`; UINT64_MAX where none says anything.
 */
uint64_t memory_limit_of(const char *groups, const char *mount);
