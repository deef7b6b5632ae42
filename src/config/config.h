/*
 * What this balancer was told to be: plain data, read once, never changed afterwards.
 *
 * Every value comes from the first of these that has it: a flag, the ROOST_* environment, the
 * file, the bare names of the environment (NUM_SERVERS ...), the default. What may stand in the
 * file is one table (config_field.c); what may stand on the command line and in the environment
 * is another (config_setting.c). A key that has no effect under the chosen scheme or driver keeps
 * its default and is never a reason to refuse.
 *
 * Owner: whoever called config_load(); config_finish() frees all of it at once, so every pointer
 * in here is valid until then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attribute.h"
#include "base/error.h"
#include "base/log.h"
#include "base/view.h"
#include "config/config_note.h"
#include "config/outlier_rules.h"
#include "net/address.h"
#include "proxy/table.h"

#define CONFIG_PORT            5000               /* of the traffic, where nobody says another */
#define CONFIG_COUNT_MAX       1000               /* replicas one service may be declared with */
#define CONFIG_REPLICAS_MAX    TABLE_REPLICAS_MAX /* `limits.replicas` */
#define CONFIG_SLOTS_MAX       BALANCE_SLOTS_MAX
#define CONFIG_WEIGHT_MAX      BALANCE_WEIGHT_MAX
#define CONFIG_SERVICES_MAX    TABLE_SERVICES_MAX
#define CONFIG_LISTENERS_MAX   TABLE_LISTENERS_MAX
#define CONFIG_LIST_MAX        4096 /* entries of any list or map */
#define CONFIG_KEY_SOURCES_MAX TABLE_KEY_SOURCES_MAX
#define CONFIG_NETWORKS_MAX    TABLE_TRUSTED_MAX
#define CONFIG_NAME_BYTES_MAX  63 /* of a replica's name */
#define CONFIG_TOKEN_BYTES_MAX 512
#define CONFIG_SETTINGS_MAX    32
#define CONFIG_FILE_BYTES_MAX  (1u << 20)
#define CONFIG_OFF             UINT32_MAX /* a number that was written as `off` */
#define CONFIG_UNLIMITED       UINT64_MAX /* a size that was written as `unlimited` */

/* In the order of their words in the file. */
enum config_driver { CONFIG_DRIVER_PROCESS, CONFIG_DRIVER_DOCKER, CONFIG_DRIVER_STATIC };
enum config_scheme {
    CONFIG_SCHEME_SLOT_HRW,
    CONFIG_SCHEME_KETAMA,
    CONFIG_SCHEME_MAGLEV,
    CONFIG_SCHEME_CLASSIC,
    CONFIG_SCHEME_ROUND_ROBIN,
    CONFIG_SCHEME_LEAST_CONN,
    CONFIG_SCHEME_P2C,
};

/* The two functions of `classic`; config_request_hash_name() gives their words. */
enum config_request_hash {
    CONFIG_REQUEST_QUADRATIC,
    CONFIG_REQUEST_QUADRATIC_172,
    CONFIG_REQUEST_QUADRATIC_2,
    CONFIG_REQUEST_LINEAR,
    CONFIG_REQUEST_MODULO,
    CONFIG_REQUEST_MIX32,
    CONFIG_REQUEST_FNV1A,
    CONFIG_REQUEST_MD5,
    CONFIG_REQUEST_MULTIPLY,
};
enum config_server_hash {
    CONFIG_SERVER_QUADRATIC,
    CONFIG_SERVER_LINEAR,
    CONFIG_SERVER_MIXED,
    CONFIG_SERVER_FNV1A,
    CONFIG_SERVER_MD5,
    CONFIG_SERVER_MULTIPLY,
};

struct config_texts {
    char **items;
    unsigned count;
};

struct config_pair {
    char *name;
    char *value;
};

struct config_pairs {
    struct config_pair *items;
    unsigned count;
};

struct config_weight {
    char *name;
    uint32_t weight; /* 0 ... CONFIG_WEIGHT_MAX */
};

struct config_weights {
    struct config_weight *items;
    unsigned count;
};

struct config_keys {
    struct table_key_spec *items;
    unsigned count;
};

struct config_network {
    char *text; /* as a person writes it, "10.0.0.0/8" */
    struct address_range range;
};

struct config_networks {
    struct config_network *items;
    unsigned count;
};

struct config_listener {
    char *address;                /* IP:PORT or [IP]:PORT, for address_from_text() */
    struct config_texts services; /* only these; empty: all */
};

struct config_control {
    struct config_texts addresses; /* the same, or unix:/PATH */
    char *token;                   /* NULL: none. From the environment or token_file; never shown */
    char *token_file;              /* NULL: none */
    bool is_open;
    struct config_texts hosts;
};

struct config_log {
    enum log_level level;
    enum log_format format;
    char *access; /* "stdout", "off" or a path */
    enum log_format access_format;
};

struct config_limits {
    uint32_t connections;
    uint32_t replicas;
    uint64_t header_bytes;
    uint32_t header_fields;
    uint64_t target_bytes;
    uint64_t body_bytes;             /* or CONFIG_UNLIMITED */
    uint64_t min_rate;               /* bytes a second */
    uint32_t connection_requests;    /* 0: no limit */
    uint32_t connection_lifetime_ms; /* 0: no limit */
    uint32_t client_connections;     /* 0: no limit */
    uint32_t client_requests;        /* a second; 0: no limit */
    uint32_t client_burst;           /* 0: as many as client_requests */
    uint32_t header_timeout_ms;
    uint32_t idle_timeout_ms;
    uint64_t buffered_total_bytes; /* 0: an eighth of the memory there is */
};

struct config_match {
    char *host; /* NULL: any */
    char *path; /* its beginning; NULL: any */
};

struct config_resources {
    uint64_t memory_bytes;     /* or CONFIG_UNLIMITED */
    uint32_t cpus_thousandths; /* or CONFIG_OFF */
    uint32_t pids;             /* or CONFIG_OFF */
};

struct config_replicas {
    enum config_driver driver;
    uint32_t count;                /* = names.count */
    struct config_texts names;     /* filled up with "Server k"; static: those with IP:PORT */
    uint32_t given_names;          /* of them: the first ones, which somebody wrote */
    struct config_texts command;   /* process; empty: this program's own sample replica */
    char *image;                   /* docker */
    char *network;                 /* docker */
    uint32_t port;                 /* docker: inside the container */
    struct config_pairs addresses; /* static: name -> IP:PORT or NAME:PORT */
    struct config_pairs env;
    struct config_resources resources;
    struct config_weights weights; /* who is not in here weighs 1 */
};

struct config_balance {
    enum config_scheme scheme;
    struct config_keys key;
    uint32_t slots;                        /* slot-hrw, maglev and classic; 0 elsewhere */
    uint32_t cap_thousandths;              /* slot-hrw; or CONFIG_OFF */
    uint32_t bound_thousandths;            /* or CONFIG_OFF */
    uint32_t bound_floor;                  /* requests in flight */
    uint32_t virtual_servers;              /* classic; 0 elsewhere */
    enum config_request_hash request_hash; /* classic */
    enum config_server_hash server_hash;   /* classic */
};

struct config_health {
    char *path;
    uint32_t interval_ms;
    uint32_t timeout_ms;
    uint32_t fall; /* misses */
    uint32_t rise; /* successes */
    uint32_t start_ms;
    uint32_t warm_ms; /* 0: none */
};

struct config_timeouts {
    uint32_t connect_ms;
    uint32_t response_ms;
    uint32_t idle_ms;
    uint32_t outbound_idle_ms;
    uint32_t drain_ms;
};

struct config_retries {
    uint32_t attempts;           /* the first one included */
    uint32_t budget_thousandths; /* of the requests */
    uint64_t body_bytes;
};

struct config_service {
    char *name;
    struct config_match match;
    struct config_replicas replicas;
    struct config_balance balance;
    struct config_health health;
    struct config_timeouts timeouts;
    struct config_retries retries;
    struct outlier_rules outlier;
    bool expose_replica;
    uint32_t hold_ms; /* 0: off */
};

struct config {
    char *file; /* NULL: the embedded default */
    struct config_listener *listeners;
    unsigned listener_count; /* >= 1 */
    struct config_control control;
    enum table_compat compat;
    uint32_t workers; /* 0: one for each core this process may use */
    char *state;      /* the state folder; need not be there yet */
    struct config_log log;
    struct config_networks trusted_proxies;
    struct config_texts resolvers; /* IP or IP:PORT; empty: those of the system */
    struct config_limits limits;
    struct config_service *services;
    unsigned service_count; /* >= 1 */

    /* From the command line alone. */
    bool is_reset;        /* forget what the state folder remembers */
    bool leaves_replicas; /* do not stop them when we stop */

    struct arena memory; /* everything above lives here */
};

/* What stood on the command line. Owner: the caller; points into argv. */
struct config_flags {
    const char *file; /* -c; NULL: the embedded default */
    bool is_reset;
    bool leaves_replicas;
    const char *values[CONFIG_SETTINGS_MAX]; /* by number of the setting; NULL: not given */
};

/* Everything at its default: no listener, no service and no address yet. */
void config_init_default(struct config *config);

/*
 * Reads the whole configuration. `path` is YAML, or JSON where it ends in ".json"; NULL is the
 * embedded default. `flags` and `notes` may be NULL; `environment` is like environ. On failure
 * (-EINVAL for a bad value, else the errno of the file) config is untouched, `why` is the first
 * error and `notes` has up to CONFIG_NOTES_MAX of them, warnings too.
 */
MUST_USE int config_load(struct config *config, const char *path, const struct config_flags *flags,
                         char *const *environment, struct config_notes *notes, struct error *why);

/* The same of a text that is no file; `name` stands for it in sentences. */
MUST_USE int config_load_text(struct config *config, const char *name, struct view text,
                              bool is_json, const struct config_flags *flags,
                              char *const *environment, struct config_notes *notes,
                              struct error *why);

/* Harmless on one that is all zeroes or finished. */
void config_finish(struct config *config);

/* The words a person writes for them. */
const char *config_compat_name(enum table_compat compat);
const char *config_driver_name(enum config_driver driver);
const char *config_scheme_name(enum config_scheme scheme);
const char *config_request_hash_name(enum config_request_hash hash);
const char *config_server_hash_name(enum config_server_hash hash);
