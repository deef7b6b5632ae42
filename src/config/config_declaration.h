/*
 * The declaration: what of a configuration decides which replicas there are. The state folder
 * remembers it, so that a restart knows whether the file or the state is newer.
 */
#pragma once

#include "config/config.h"

#define CONFIG_DECLARATION_DIGEST_BYTES 33

/*
 * One service's driver, count, names, command or image, and addresses as one line of JSON whose
 * keys are sorted: equal texts are equal declarations. Owner: the caller, ends with free().
 */
char *config_declaration_text(const struct config_service *service);

/* 128 bits over the names and declarations of all services, in hexadecimal, zero-ended. */
void config_declaration_digest(const struct config *config,
                               char digest[CONFIG_DECLARATION_DIGEST_BYTES]);
