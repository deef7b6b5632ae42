/* Where the traffic and the control API come in: the settings PORT and LISTEN, the file's
 * `listen` and `control.address`, and the defaults put together. */
#pragma once

#include "config/config_loading.h"
#include "config/config_setting.h"

/* One of those settings: a text, whether it wins over the file, and where it stood. */
struct config_listen_setting {
    const char *text; /* NULL: not given */
    bool is_strong;
    char source[CONFIG_SOURCE_BYTES];
    unsigned port; /* of the two ports */
};

struct config_listen {
    struct config_listen_setting port;
    struct config_listen_setting control_port;
    struct config_listen_setting listen;
    struct config_listen_setting control_listen;
};

/* Remembers one of the four. */
void config_listen_take(struct config_loading *loading, struct config_listen *listen,
                        enum config_setting_kind kind, const char *text, bool is_strong,
                        const char *source);

/* Sets the listeners and the control addresses; faults become notes. */
void config_listen_apply(struct config_loading *loading, const struct config_listen *listen);

/* The port of "IP:PORT", 0 of a unix socket. */
unsigned config_listen_port(const char *text);

/* Whether only this machine can reach it: 127.0.0.0/8, ::1 or a unix socket. */
bool config_listen_is_local(const char *text);
