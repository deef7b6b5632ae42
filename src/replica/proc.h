/*
 * What the kernel tells of processes and control groups, as numbers: /proc/PID/stat (proc(5)),
 * /proc/PID/cgroup and the files of a group (cgroups(7)). Nothing here waits: these files are in
 * memory.
 * Owner: plain memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/view.h"

struct proc_stat {
    char state; /* 'R', 'S', 'Z' ... */
    pid_t session;
    uint64_t cpu_ticks;   /* it used, user and system, and its children that have ended */
    uint64_t start_ticks; /* when it started, since the boot */
    uint64_t memory_pages;
};

/* Reads the text of a stat file. -EBADMSG where it is none. */
MUST_USE int proc_parse_stat(struct view text, struct proc_stat *stat);

/* -ESRCH where there is no such process. */
MUST_USE int proc_read_stat(pid_t pid, struct proc_stat *stat);

#define PROC_PATH_BYTES 512

/* Where a process's group counts: folders below /sys/fs/cgroup, or `root` in a test. */
struct proc_group {
    char cpu[PROC_PATH_BYTES];
    char memory[PROC_PATH_BYTES];
    bool is_unified; /* version 2 */
};

struct proc_group_usage {
    uint64_t cpu_us;
    uint64_t memory_bytes; /* without files that lie in memory unused: as docker stats counts */
};

/*
 * Reads the text of a cgroup file. Of versions 1 and 2 the one that counts. -ENOENT where the
 * group's path does not name `container`: then that is no process of it, its pid is another
 * machine's or another process's by now. -EBADMSG where it is no such text.
 */
MUST_USE int proc_parse_group(struct view text, const char *container, struct proc_group *group);

/* The same of a process. -ESRCH where there is none. */
MUST_USE int proc_find_group(pid_t pid, const char *container, struct proc_group *group);

/* Reads what a group has used; `root` NULL: /sys/fs/cgroup. -errno where that cannot be seen. */
MUST_USE int proc_read_group(const char *root, const struct proc_group *group,
                             struct proc_group_usage *usage);
