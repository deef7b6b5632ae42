/*
 * What differs between the configuration in force and another one: what can be changed while it
 * runs, and what cannot.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "config/config.h"

/* Owner: the caller, ends with reload_compare_forget(). */
struct reload_difference {
    json_t *changed;    /* list of keys that can be changed: "services[0].timeouts.drain" */
    json_t *restart;    /* list of keys that need a restart */
    bool has_workers;   /* among `changed` */
    bool has_addresses; /* the same: some were added or removed */
};

/* Compares value by value. Services are the same where they have the same place and name, listeners
 * where they have the same address. */
void reload_compare(const struct config *now, const struct config *next,
                    struct reload_difference *difference);

/* Harmless on one that is all zeroes. */
void reload_compare_forget(struct reload_difference *difference);
