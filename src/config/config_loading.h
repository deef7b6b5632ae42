/*
 * A load in progress: what its steps share. Inside of the configuration only.
 * Owner: config_load().
 */
#pragma once

#include "config/config.h"
#include "config/config_field.h"

struct document_node;

#define CONFIG_SOURCE_BYTES 64

struct config_loading {
    struct config *config;
    const char *file;                 /* its name in sentences */
    const struct document_node *root; /* NULL: no file */
    char *const *environment;
    const struct config_flags *flags;                       /* never NULL */
    struct config_notes *notes;                             /* never NULL */
    char sources[CONFIG_SETTINGS_MAX][CONFIG_SOURCE_BYTES]; /* of settings that were applied */
    char control_source[CONFIG_SOURCE_BYTES]; /* of control.address, where a setting gave it */
};

/* A fault or warning at a node (NULL: in the file as a whole) that stands at `path`. */
void config_loading_note(struct config_loading *loading, bool is_error,
                         const struct document_node *node, const char *path, const char *format,
                         ...) PRINTF_LIKE(5, 6);

/* The same about a node's key. */
void config_loading_note_key(struct config_loading *loading, const struct document_node *node,
                             const char *path, const char *format, ...) PRINTF_LIKE(4, 5);

/* The same about whatever gave the value at `path`: a setting, else its place in the file. */
void config_loading_note_path(struct config_loading *loading, bool is_error, const char *path,
                              const char *format, ...) PRINTF_LIKE(4, 5);

/* The same about a setting; `source` is "PORT in the environment" or "--port". */
void config_loading_note_source(struct config_loading *loading, bool is_error, const char *source,
                                const char *format, ...) PRINTF_LIKE(4, 5);

/* A fault of the file's syntax; the sentence begins with LINE:COLUMN. */
void config_loading_note_syntax(struct config_loading *loading, const char *sentence);

/* A field of the whole, or of one listener or service: where it is kept. */
void *config_loading_place(struct config_loading *loading, const struct config_field *field,
                           unsigned index);

/* "services[2].name" of "services[].name" and 2. */
void config_loading_path(const struct config_field *field, unsigned index,
                         char path[CONFIG_PATH_BYTES]);

/* Whether the file itself has something at "services[2].name". */
bool config_loading_has(const struct config_loading *loading, const char *path);

/* Every field of that part at its default. */
void config_loading_set_defaults(struct config *config, enum config_part part, void *place);

/* The value of a variable that is there and not empty, or NULL. */
const char *config_loading_environment(const struct config_loading *loading, const char *name);
