/*
 * What an experiment stands on: a loop, and one balancer at a time, started on free ports with a
 * folder of its own and ended with everything that is its own, also when the experiment is
 * interrupted or fails.
 * Owner: experiment_main().
 */
#pragma once

#include <sys/types.h>

#include "conn/outbound.h"
#include "experiment/experiment_docker.h"
#include "experiment/experiment_options.h"
#include "net/signals.h"

struct experiment_rig {
    struct loop loop;
    struct sock_group socks;
    struct outbound_pool calls;
    struct signals signals;
    const struct experiment_options *options;
    struct experiment_docker *docker; /* NULL: replicas are processes, or nothing ran yet */
    bool is_interrupted;              /* Ctrl-C: everything that waits returns -EINTR */
    pid_t keeper;                     /* 0: nothing runs */
    char folder[64];
    struct address traffic;
    struct address control;
};

/* `options` stay the caller's. */
MUST_USE int experiment_rig_init(struct experiment_rig *rig,
                                 const struct experiment_options *options, struct error *why);

/* Ends what runs. */
void experiment_rig_finish(struct experiment_rig *rig);

/* Starts a balancer with replicas Server 1 … and waits until all of them are up. `flags` are more
 * of the command line, ended by NULL, or NULL. -errno with a sentence, nothing runs then. */
MUST_USE int experiment_rig_start(struct experiment_rig *rig,
                                  const struct experiment_scheme *scheme, unsigned replicas,
                                  const char *const *flags, struct error *why);

/* Ends it and forgets its folder; harmless where nothing runs. */
void experiment_rig_stop(struct experiment_rig *rig);

/* Turns the loop for that long. -EINTR where Ctrl-C was pressed, -ECHILD where the balancer ended.
 */
MUST_USE int experiment_rig_wait(struct experiment_rig *rig, uint64_t us, struct error *why);

/* How far it is: wiped away on a terminal as soon as there is more to say, a plain line elsewhere.
 */
void experiment_rig_note(const struct experiment_rig *rig, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* A line about what is being done, with --verbose. */
void experiment_rig_say(const struct experiment_rig *rig, const char *format, ...)
    PRINTF_LIKE(2, 3);
