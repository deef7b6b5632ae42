/*
 * What there is to say about a configuration that was read: errors and warnings, as sentences.
 * Owner: the caller; plain memory.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

#define CONFIG_NOTES_MAX 20

/* One thing to say about a configuration, a whole sentence with its place. */
struct config_note {
    bool is_error; /* else a warning */
    struct error sentence;
};

/* What a load found. */
struct config_notes {
    unsigned count;
    unsigned errors; /* of all, also those that did not fit */
    unsigned warnings;
    struct config_note items[CONFIG_NOTES_MAX];
};
