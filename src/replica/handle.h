/*
 * The durable handle of a process: its pid with the time it started and the boot it started in, so
 * that a pid that was given to another process meanwhile is told from it.
 * Owner: plain memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attribute.h"

#define HANDLE_TEXT_BYTES 128
#define HANDLE_BOOT_BYTES 9 /* the first eight digits of the kernel's boot id, with a zero */

struct handle {
    pid_t pid;
    uint64_t start_ticks; /* field 22 of /proc/PID/stat, proc(5) */
    uint16_t port;
    char boot[HANDLE_BOOT_BYTES];
};

/* The handle of a process that runs; -errno where it does not. */
MUST_USE int handle_of_pid(pid_t pid, uint16_t port, struct handle *handle);

/* "pid=12 start=34567 boot=0123abcd port=5003". */
void handle_to_text(const struct handle *handle, char text[HANDLE_TEXT_BYTES]);
MUST_USE int handle_from_text(const char *text, struct handle *handle);

/* A pidfd of exactly that process (the caller's), or -errno: -ESRCH where it is gone or its pid is
 * another process by now. */
MUST_USE int handle_open(const struct handle *handle);
