/*
 * Gives up root before anything else is done, where the environment asks for it (the image does):
 * ROOST_UID is the number of the user, and of the group, that the keeper becomes. Where replicas
 * are containers a process that may start dockhands stays behind as it was.
 */
#pragma once

#include "config/config.h"

/* 0 also where there is nothing to give up. -errno with a sentence. */
MUST_USE int descend(const struct config *config, struct error *why);
