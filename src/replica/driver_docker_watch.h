/*
 * What the Docker driver hears: whether the Engine is there, which containers end, and, by a list
 * of all, what it has missed. Inside of driver_docker.c.
 *
 * Owner: the driver.
 */
#pragma once

#include "replica/driver_docker_run.h"

void driver_docker_watch_init(struct driver_docker *self);
void driver_docker_watch_finish(struct driver_docker *self);

/* Begins to listen. */
void driver_docker_watch_start(struct driver_docker *self);

/* The dockhand has ended. */
void driver_docker_watch_lost(struct driver_docker *self);

/* The driver's list(). */
void driver_docker_watch_list(struct driver_docker *self, driver_found_fn on_found, void *owner);
