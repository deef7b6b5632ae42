/*
 * The settings that stand outside of the file: flags, the ROOST_* environment and the bare names.
 * One table; what a value may be comes from the table of the file (config_field.c).
 */
#pragma once

#include "config/config_loading.h"

enum config_setting_kind {
    CONFIG_SETTING_FIELD,   /* a field of the whole or of the first service */
    CONFIG_SETTING_SECONDS, /* the same of a duration; a plain number is seconds */
    CONFIG_SETTING_SWITCH,  /* the same of a bool; 1, 0 and a flag alone are legal too */
    CONFIG_SETTING_PORT,
    CONFIG_SETTING_CONTROL_PORT,
    CONFIG_SETTING_LISTEN,
    CONFIG_SETTING_CONTROL_LISTEN,
    CONFIG_SETTING_TOKEN,
};

struct config_setting {
    const char *name;       /* in the environment, after ROOST_ */
    const char *short_name; /* N, M, K; NULL: none */
    const char *flag;       /* without the dashes; NULL: none, a secret stands in no argument */
    const char *path;       /* of its field */
    enum config_setting_kind kind;
    bool has_bare_name;   /* also read without ROOST_ */
    unsigned schemes;     /* bits it has an effect under; 0: what the field says */
    const char *argument; /* in the help */
    const char *help;
};

extern const struct config_setting config_settings[];
extern const unsigned config_setting_count;

/* Puts every setting into the configuration whose file was read. Faults become notes. */
void config_setting_apply(struct config_loading *loading);

/* Whether it may be the control token: visible ASCII, as it stands in a field's value (RFC 6750
 * 2.1). It is shown to nobody. */
bool config_setting_is_token(const char *text);

/* What gave the value at that path of the first service or the whole: "--port", or NULL. */
const char *config_setting_source(const struct config_loading *loading, const char *path);
