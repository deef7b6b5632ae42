/*
 * Replicas as processes of this machine: a command, each in a session of its own, with an
 * environment built anew (PATH, SERVER_ID, PORT, then `env`), input from /dev/null, output into a
 * file of limited size, a port of 127.0.0.1.
 *
 * Files, all in one folder a service: NAME@PID.run holds the handle, written by the new process
 * itself before it becomes the command, so that no crash of the keeper loses one that runs;
 * NAME.log is the output, NAME.log.1 what was before.
 *
 * Owner of the driver: who created it.
 */
#pragma once

#include "net/loop.h"
#include "replica/driver.h"

#define DRIVER_PROCESS_OUTPUT_BYTES (4u * 1024 * 1024) /* of NAME.log, then it starts anew */
#define DRIVER_PROCESS_CHECK_US     UINT64_C(1000000)  /* between looks at its size */

/* Copied by the callee. */
struct driver_process_settings {
    const char *folder;         /* is there already; at most 200 bytes */
    const char *const *command; /* ends with NULL; {port} and {name} are filled in everywhere */
    const char *const *env;     /* "NAME=value", ends with NULL; or NULL. Wins over ours */
    uint64_t output_bytes_max;  /* 0: DRIVER_PROCESS_OUTPUT_BYTES */
};

/* -EINVAL (no command, too long), -ENAMETOOLONG; why says it. */
MUST_USE int driver_process_create(struct loop *loop,
                                   const struct driver_process_settings *settings,
                                   struct driver **driver, struct error *why);
