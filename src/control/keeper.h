/*
 * The keeper: the control plane's one process. Starts everything in order, hears signals, ends
 * everything in order.
 *
 *     lock the state folder -> bind the addresses -> start the replicas -> all ready ->
 *     table published -> workers accept
 *
 * It does no work of its own: crews know what is desired, the supervisor what lives, publish what
 * the workers know, the api who asks.
 */
#pragma once

#include "config/config.h"
#include "control/api.h"
#include "control/crew.h"
#include "control/events_pool.h"
#include "control/folder.h"
#include "control/listeners.h"
#include "control/lookup.h"
#include "control/outlier_watch.h"
#include "control/picture.h"
#include "control/publish.h"
#include "control/reload.h"
#include "control/state.h"
#include "control/takeover.h"
#include "control/tick.h"
#include "control/workers.h"
#include "net/listener.h"
#include "net/signals.h"
#include "replica/usage.h"

/* Addresses of the control port. */
#define KEEPER_CONTROL_MAX 16

enum keeper_phase {
    KEEPER_STARTING, /* replicas, then workers */
    KEEPER_SERVING,
    KEEPER_DRAINING, /* workers end what runs */
    KEEPER_STOPPING, /* replicas end */
};

struct keeper {
    const struct config *config;
    const struct api_route *routes;
    struct loop loop;
    struct sock_group socks;
    struct folder folder;
    struct listeners listeners;
    struct takeover takeover;
    struct workers workers;
    struct supervisor supervisor;
    struct usage usage;
    struct publish publish;
    struct crew *crews; /* one for each service */
    struct lookups lookups;
    struct api api;
    struct picture picture;
    struct reload reload;
    struct tick tick;
    struct outlier_watch outliers;
    struct events events;
    struct events_pool pool_events;
    struct state *state;
    uint64_t epochs_reserved; /* those below are never used again after a crash */
    struct state_segment *states;
    struct guest_segment *guests;
    struct signals signals;
    struct ready look; /* whether the replicas are ready */
    struct timer look_again;
    struct timer start_limit; /* the slowest replica has until then */
    struct listener control[KEEPER_CONTROL_MAX];
    struct address control_addresses[KEEPER_CONTROL_MAX];
    unsigned control_count;
    uint64_t started_us;
    uint64_t started_wall_ms;
    int states_fd;
    int guests_fd;
    int access_fd; /* -1: no access log */
    int status;    /* the process's exit status */
    unsigned stop_signals;
    enum keeper_phase phase;
};

/* Runs until it is told to stop; returns the exit status. What went wrong was said on stderr.
 * `flags` are those the configuration was loaded with: it may be read again. `routes` are what its
 * API answers. */
int keeper_run(const struct config *config, const struct config_flags *flags,
               const struct api_route *routes);

/* How long workers that end may finish what they have. */
uint32_t keeper_drain_ms(const struct keeper *keeper);

/* The state of a replica changed. */
void keeper_look(struct keeper *keeper);

/* Does every worker serve, and does nobody end it? */
bool keeper_is_serving(const struct keeper *keeper);
