/*
 * What processes have cost so far, as the kernel counts it. Time on the processor is to the
 * nanosecond and includes the work that the kernel does inside a process's system calls (on
 * loopback that is all of TCP's soft interrupts). How it parts into user and system is sampled by
 * the clock tick.
 */
#pragma once

#include <stdint.h>

struct cpu {
    uint64_t ns;
    uint64_t user_ticks;
    uint64_t system_ticks;
    uint64_t sleeps; /* how often they had to wait for something */
};

/* The sum over the processes of a list, "12,34", all threads of each. */
struct cpu cpu_read(const char *pids);

/* Their private memory that no file stands behind. */
uint64_t cpu_anonymous_bytes(const char *pids);
