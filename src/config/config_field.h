/*
 * The one table of what may stand in a configuration: reading, checking, printing, the JSON
 * Schema and the documentation all follow it.
 * Owner: nobody, it is constant.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

enum config_type {
    CONFIG_SECTION, /* a map of further fields */
    CONFIG_LIST,    /* a list of such maps */

    CONFIG_BOOL,     /* bool */
    CONFIG_INTEGER,  /* uint32_t */
    CONFIG_DURATION, /* uint32_t, milliseconds */
    CONFIG_SIZE,     /* uint64_t, bytes */
    CONFIG_FACTOR,   /* uint32_t, thousandths: 1.25 */
    CONFIG_PERCENT,  /* uint32_t, thousandths: 5% */
    CONFIG_WORD,     /* an enum whose values are the places of the words */
    CONFIG_TEXT,     /* char *, and so are the next four */
    CONFIG_NAME,     /* of a replica or service */
    CONFIG_HOST,     /* of a request; "*.example.org" is legal */
    CONFIG_URL_PATH, /* "/" first */
    CONFIG_ENDPOINT, /* IP:PORT */

    CONFIG_TEXTS, /* struct config_texts, and so are the next three */
    CONFIG_NAMES,
    CONFIG_HOSTS,
    CONFIG_DOORS,     /* IP:PORT or the path of a unix socket; one of them may stand alone */
    CONFIG_RESOLVERS, /* struct config_texts: IP or IP:PORT of DNS servers */
    CONFIG_NETWORKS,  /* struct config_networks */
    CONFIG_KEYS,      /* struct config_keys */

    CONFIG_ENV,       /* struct config_pairs */
    CONFIG_ENDPOINTS, /* struct config_pairs: name -> IP:PORT or NAME:PORT */
    CONFIG_WEIGHTS,   /* struct config_weights */
};

/* Whose member a field is. */
enum config_part { CONFIG_IN_CONFIG, CONFIG_IN_LISTENER, CONFIG_IN_SERVICE };

#define CONFIG_PATH_BYTES 96

struct config_field {
    const char *path; /* "services[].balance.slots" */
    enum config_type type;
    enum config_part part;
    size_t offset; /* in that part; sections and lists have none */
    uint64_t least;
    uint64_t most;
    const char *fallback; /* the default as a person writes it; NULL: `when_absent` says */
    const char *when_absent;
    const char *special; /* a word for one value, "auto"; NULL: none */
    uint64_t special_value;
    const char *const *words; /* ends with NULL */
    unsigned schemes;         /* bits of the schemes it has an effect under; 0: all */
    unsigned drivers;         /* the same of the drivers */
    const char *help;         /* one sentence */
};

extern const struct config_field config_fields[];
extern const size_t config_field_count;

/* The field at that path, "[]" for every index, or NULL. */
const struct config_field *config_field_find(struct view path);

/* The field that `text` most likely was meant to be among those directly under `parent` ("" is
 * the top), or NULL where nothing is near. */
const struct config_field *config_field_nearest(struct view parent, struct view text);

/* Whether the field stands directly under `parent`. */
bool config_field_is_under(const struct config_field *field, struct view parent);

/* What follows the last dot of its path: the key a person writes. */
const char *config_field_key(const struct config_field *field);

/* How many single changes make one text the other, at most `limit` + 1. */
unsigned config_field_distance(struct view a, struct view b, unsigned limit);
