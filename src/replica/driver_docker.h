/*
 * Replicas as containers of the Docker Engine of this machine, each with an address of its own on
 * one network. The Engine is reached through a dockhand (dockhand.h), whose charter says what the
 * containers are made of.
 *
 * The container of a replica is made anew for each start, under the same name, and removed when it
 * has ended; the Engine's own restart policy is off. Its end is known from the Engine's events;
 * when their stream was interrupted, and from time to time anyway, from a list of all. That it is
 * at its end is seen before that where its first process can be seen (driver_docker_exit.h). While
 * the Engine is away starts that nobody waits for are held back, and at no time more than
 * DRIVER_DOCKER_STARTS_MAX are under way.
 *
 * A handle is the id of the container.
 *
 * Owner of the driver: who created it.
 */
#pragma once

#include "net/loop.h"
#include "replica/dockhand_link.h"
#include "replica/driver.h"

#define DRIVER_DOCKER_STARTS_MAX 8 /* at once: the Engine starts no more of them in that time */
#define DRIVER_DOCKER_TRIES_MAX  8 /* to get the name of one container */
#define DRIVER_DOCKER_LOOK_US    UINT64_C(5000000) /* between lists of all */
#define DRIVER_DOCKER_AGAIN_US   UINT64_C(250000)  /* before what failed is tried again */
#define DRIVER_DOCKER_AWAY_US    UINT64_C(5000000) /* a start that somebody waits for has so long */
#define DRIVER_DOCKER_SLACK_US   UINT64_C(15000000) /* a stop may take beyond its grace */

/* `charter` is copied but for its env, which is shared; `launch` NULL: `roost dockhand`. -EINVAL,
 * -E2BIG or an errno of starting it, with a sentence. */
MUST_USE int driver_docker_create(struct loop *loop, const struct dockhand_charter *charter,
                                  dockhand_link_launch_fn launch, void *launch_owner,
                                  struct driver **driver, struct error *why);
