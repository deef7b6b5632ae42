/*
 * The state folder of one balancer and, in it, the run folder: who runs now and where the sockets
 * for its heirs are.
 *
 *     STATE/lock                locked (flock(2)) by the keeper as long as it lives
 *     STATE/run/NAME.pid        "PID START\n", START as in folder_start_time()
 *     STATE/run/NAME.sock       a unix socket
 *
 * A process is its pid and the time it started: a pid alone may be somebody else's by now.
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attribute.h"
#include "base/error.h"

#define FOLDER_PATH_BYTES 4096
#define FOLDER_NAME_BYTES 96

struct folder {
    char state[FOLDER_PATH_BYTES];
    char run[FOLDER_PATH_BYTES];
    int run_fd;
    int lock_fd; /* -1: not locked by us */
};

struct folder_record {
    char name[FOLDER_NAME_BYTES]; /* without its ".pid" */
    pid_t pid;
    uint64_t start;
};

/* Makes the folders where they are missing (0700). -errno with a sentence. */
MUST_USE int folder_open(struct folder *folder, const char *state, struct error *why);

/* The same without making anything: -ENOENT where there is none. */
MUST_USE int folder_look(struct folder *folder, const char *state, struct error *why);

/* Harmless on one that is all zeroes but for descriptors of -1, or closed. Unlocks. */
void folder_close(struct folder *folder);

/* -EBUSY with a sentence that names the process which has it. */
MUST_USE int folder_lock(struct folder *folder, struct error *why);

/* When a process started, in clock ticks since boot (proc(5), field 22); 0 where it is gone. */
uint64_t folder_start_time(pid_t pid);

/* A descriptor (pidfd_open(2)) of that very process, close-on-exec; -ESRCH where it is gone. */
MUST_USE int folder_open_process(const struct folder_record *record);

/* Remembers that `pid` runs under `name`. */
MUST_USE int folder_write_record(struct folder *folder, const char *name, pid_t pid,
                                 struct error *why);

/* -ENOENT, or -EBADMSG where it is no record. */
MUST_USE int folder_read_record(struct folder *folder, const char *name,
                                struct folder_record *record);

/* Removes the record and the socket of that name; harmless where there is none. */
void folder_forget(struct folder *folder, const char *name);

/* The records whose names begin with `prefix`, sorted by name, at most `most`; returns how many. */
unsigned folder_list_records(struct folder *folder, const char *prefix,
                             struct folder_record *records, unsigned most);

/* A listening unix socket (SOCK_SEQPACKET, non-blocking, 0600) NAME.sock in the run folder. Returns
 * the descriptor, the caller's, or -errno. */
MUST_USE int folder_listen(struct folder *folder, const char *name, struct error *why);

/* Connects to it; blocking. Returns the descriptor, the caller's, or -errno. */
MUST_USE int folder_connect(struct folder *folder, const char *name);
