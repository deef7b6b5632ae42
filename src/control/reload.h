/*
 * Reading the configuration again while everything runs: POST /v1/reload and SIGHUP.
 *
 *     read and check -> compare -> what a table can say: a new table
 *                               -> workers or addresses: a new generation of workers on the
 *                                  listening sockets there are, which retires the one before
 *
 * One that is wrong, or that asks for what only a start can do, changes nothing.
 *
 * Owner: the keeper.
 */
#pragma once

#include "config/config.h"
#include "control/publish.h"
#include "control/reload_addresses.h"
#include "control/reload_compare.h"

struct keeper;
struct api_request;

struct reload {
    struct keeper *keeper;
    const struct config_flags *flags;
    struct config *owned; /* in force, where it came by a reload; else NULL */

    /* While one is under way. */
    struct config *next;         /* NULL: none is */
    const struct config *before; /* was in force */
    unsigned workers_before;
    struct reload_addresses addresses;
    struct reload_difference difference;
    struct config_notes *notes;
    struct api_request *request; /* NULL: a signal */
    struct publish_waiter waiter;
    bool is_renewing;
};

/* `flags` are those of the start. */
void reload_init(struct reload *reload, struct keeper *keeper, const struct config_flags *flags);

/* The last thing to finish: the configuration in force may be its. */
void reload_finish(struct reload *reload);

/* Begins one; `request` is answered when it is done, NULL: it is only logged. */
void reload_begin(struct reload *reload, struct api_request *request);

/* The keeper ends: whoever waits is told. */
void reload_cancel(struct reload *reload);

/* What the workers say (control/workers.h). */
void reload_on_renewed(struct reload *reload, int result);
void reload_on_retired(struct reload *reload);

/* POST /v1/reload. */
void reload_handle(struct api_request *request);
