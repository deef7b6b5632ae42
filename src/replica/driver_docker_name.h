/*
 * What the container of a replica is called. Pure.
 */
#pragma once

#include <stdbool.h>

#include "replica/driver.h"

#define DRIVER_DOCKER_NAME_BYTES (DRIVER_NAME_BYTES + 8) /* with a hash and its zero */

/*
 * The replica's name with `-` for each space. `with_hash`, or a name too short for Docker: a short
 * hash of whose replica it is follows.
 */
void driver_docker_name_make(const char *node, const char *service, const char *replica,
                             bool with_hash, char name[DRIVER_DOCKER_NAME_BYTES]);
