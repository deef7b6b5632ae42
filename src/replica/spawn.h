/*
 * Starts one process so that it stands on its own: a session and process group of its own, nothing
 * of ours inherited but what is given here. The file with its handle is written by the new process
 * itself before it becomes the command: whenever we end, either the file is there or nothing runs.
 * Owner: the caller.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* What a process that could not become its command says on the error pipe. */
struct spawn_failure {
    int32_t step; /* enum spawn_step */
    int32_t error;
};

enum spawn_step { SPAWN_SESSION, SPAWN_FILES, SPAWN_HANDLE, SPAWN_EXEC };

struct spawn_order {
    char *const *argv;        /* ends with NULL; argv[0] without a slash is looked for in PATH */
    char *const *environment; /* ends with NULL */
    int output_fd;            /* standard output and error; stays the caller's */
    int folder_fd;            /* where the handle goes, as NAME@PID.run */
    const char *name;
    uint16_t port;
};

struct spawned {
    pid_t pid;
    int pid_fd;   /* readable once it has ended */
    int error_fd; /* readable: end of file once it runs the command, else a struct spawn_failure */
};

/* Both descriptors are the caller's and non-blocking. -errno with a sentence. */
MUST_USE int spawn_start(const struct spawn_order *order, struct spawned *spawned,
                         struct error *why);

/* Writes "cannot run ./app: No such file or directory" and the like. */
void spawn_explain(const struct spawn_failure *failure, const char *command, struct error *why);

/* The name of the file with the handle. */
#define SPAWN_FILE_BYTES 128
void spawn_file_name(const char *name, pid_t pid, char file[SPAWN_FILE_BYTES]);
