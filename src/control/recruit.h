/* Makes the driver a service asks for. */
#pragma once

#include "config/config.h"
#include "control/folder.h"
#include "net/loop.h"
#include "replica/driver.h"

/* In the run folder, with a folder in it for each service whose replicas are run that way. */
#define RECRUIT_PROCESSES  "replicas"
#define RECRUIT_CONTAINERS "containers"

/* *driver is the caller's. -ENOTSUP or another errno with a sentence. */
MUST_USE int recruit_driver(struct loop *loop, const struct folder *folder,
                            const struct config_service *service, struct driver **driver,
                            struct error *why);
