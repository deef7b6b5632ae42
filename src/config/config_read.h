/* The tree of a file into the configuration, by the table of fields. */
#pragma once

#include "config/config_loading.h"

/* Reads loading->root. Whatever is wrong becomes a note; what is right is kept. */
void config_read_document(struct config_loading *loading);
