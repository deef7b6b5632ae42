/*
 * The table: one immutable picture of the routing, the same for all workers. Position-independent
 * bytes in a sealed memory file (memfd_create(2), F_SEAL_WRITE), built by the keeper for each
 * epoch, mapped read-only by the workers, who adopt it between two turns of their loop.
 *
 * Offsets are from the start of the table; texts end with a zero. Nothing that changes from moment
 * to moment is in it: that is the state segment (proxy/segments.h).
 *
 * **Owner**: whoever mapped it. **Writer**: table_build(), before anybody else can see it.
 */
#pragma once

#include "balance/balance.h"
#include "net/address.h"
#include "proxy/limit.h"

#define TABLE_MAGIC             UINT64_C(0x656c626174736f72) /* "rostable" */
#define TABLE_VERSION           3u
#define TABLE_BYTES_MAX         (UINT64_C(1) << 30)
#define TABLE_NAME_BYTES        64   /* of a service or replica, with its zero */
#define TABLE_REPLICAS_MAX      4096 /* seats, and so replicas of all services together */
#define TABLE_SERVICES_MAX      256
#define TABLE_LISTENERS_MAX     64
#define TABLE_KEY_SOURCES_MAX   8
#define TABLE_TRUSTED_MAX       64
#define TABLE_DIGEST_TEXT_BYTES BALANCE_DIGEST_TEXT_BYTES

enum table_compat { TABLE_COMPAT_OFF, TABLE_COMPAT_API, TABLE_COMPAT_ASSIGNMENT };

enum table_key_kind {
    TABLE_KEY_HEADER, /* text: its name */
    TABLE_KEY_COOKIE,
    TABLE_KEY_QUERY,
    TABLE_KEY_PATH, /* number: the segment from 1, 0 = the whole path */
    TABLE_KEY_HOST,
    TABLE_KEY_CLIENT_IP, /* number, number6: prefix bits for IPv4 and IPv6, 0 = all */
    TABLE_KEY_JSON,      /* text: a JSON pointer (RFC 6901) */
    TABLE_KEY_RANDOM, /* number: 6 = six decimal digits (classic), else a request id of 128 bits */
};

struct table_key {
    uint32_t kind;
    uint32_t number;
    uint32_t number6;
    uint32_t text; /* offset, 0 for none */
};

struct table_replica {
    char name[TABLE_NAME_BYTES];
    struct address address;
    uint32_t seat; /* its place in the segments and in the outbound pools, as long as it lives */
    uint32_t incarnation; /* one more with each start */
    uint32_t weight;
};

/* What a service is told beside who is in it. Times in ms, sizes in bytes. */
struct table_rules {
    uint32_t connect_ms;
    uint32_t response_ms;
    uint32_t idle_ms;
    uint32_t attempts;       /* the first one included */
    uint32_t retry_permille; /* of the requests: what one request adds to the retry budget */
    uint32_t retry_body_bytes;
    uint32_t bound; /* hundredths, BALANCE_BOUND_OFF */
    uint32_t bound_floor;
    uint32_t panic_percent; /* below that many healthy ones probe verdicts are ignored */
    uint32_t exposes_replica;
    uint32_t hold_ms; /* how long a request may wait for its owner to be healed; 0: not at all */
};

struct table_service {
    char name[TABLE_NAME_BYTES];
    uint32_t host;     /* offset of the host it matches, 0: any */
    uint32_t path;     /* offset of the beginning of the path it matches, 0: any */
    uint32_t replicas; /* offset of struct table_replica[replica_count], in the order of the image's
                          members */
    uint32_t replica_count;
    uint32_t image; /* offset of the balance image */
    uint32_t image_bytes;
    uint32_t previous; /* offset of the image before the last change, 0: nobody asks any more */
    uint32_t previous_bytes;
    uint32_t key_count;
    struct table_key keys[TABLE_KEY_SOURCES_MAX];
    struct table_rules rules;
};

/* What all connections of a worker share. */
struct table_settings {
    uint32_t compat;          /* enum table_compat */
    uint32_t connections_max; /* of one worker */
    uint32_t header_bytes;
    uint32_t header_fields;
    uint32_t target_bytes;
    uint32_t header_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t outbound_idle_ms;
    uint32_t requests_max; /* on one connection; 0: no limit */
    uint32_t lifetime_ms;  /* of one connection; 0: no limit */
    uint32_t pace;         /* bytes a second of a body, at least */
    struct limit_rules client_limits;
    uint64_t body_bytes;     /* UINT64_MAX: no limit */
    uint64_t buffered_bytes; /* of one worker */
    uint32_t access_format;  /* 0 JSON, 1 logfmt */
    uint32_t trusted_count;
    struct address_range trusted[TABLE_TRUSTED_MAX];
};

struct table_listener {
    uint64_t services[TABLE_SERVICES_MAX / 64]; /* a bit each: may be reached by it */
    uint32_t is_loopback;                       /* bound to a loopback address */
};

struct table {
    uint64_t magic;
    uint32_t version;
    uint32_t service_count;
    uint64_t bytes;
    uint64_t epoch;                       /* from 1, one more with each table */
    char digest[TABLE_DIGEST_TEXT_BYTES]; /* of the placement of all services */
    uint32_t services;                    /* offset of struct table_service[service_count] */
    uint32_t listener_count;
    struct table_listener listeners[TABLE_LISTENERS_MAX];
    struct table_settings settings;
};

/* ---- reading ---- */

/*
 * Maps the table in `fd` (stays the caller's) read-only. -EBADMSG with a sentence where it is not
 * sealed, not of this version, or an offset leads out of it.
 */
MUST_USE int table_map(int fd, const struct table **table, struct error *why);

/* NULL is harmless. */
void table_unmap(const struct table *table);

static inline const struct table_service *table_services(const struct table *table)
{
    return (const struct table_service *)((const char *)table + table->services);
}

static inline const struct table_replica *table_replicas(const struct table *table,
                                                         const struct table_service *service)
{
    return (const struct table_replica *)((const char *)table + service->replicas);
}

static inline const struct balance_image *table_image(const struct table *table,
                                                      const struct table_service *service)
{
    return (const struct balance_image *)((const char *)table + service->image);
}

/* The placement before the last change of the pool, or NULL; its members are named by it alone. */
static inline const struct balance_image *table_previous(const struct table *table,
                                                         const struct table_service *service)
{
    return service->previous
               ? (const struct balance_image *)((const char *)table + service->previous)
               : NULL;
}

/* An empty view for offset 0. */
static inline struct view table_text(const struct table *table, uint32_t offset)
{
    return offset ? view_of((const char *)table + offset) : (struct view){NULL, 0};
}

/* ---- building ---- */

struct table_key_spec {
    enum table_key_kind kind;
    uint32_t number;
    uint32_t number6;
    const char *text; /* NULL for none */
};

struct table_service_spec {
    const char *name;
    const char *host;                     /* NULL: any */
    const char *path;                     /* NULL: any */
    const struct table_replica *replicas; /* in the order of the image's members */
    unsigned replica_count;
    const struct balance_image *image;
    const struct balance_image *previous; /* NULL for none */
    const struct table_key_spec *keys;
    unsigned key_count;
    struct table_rules rules;
};

struct table_spec {
    uint64_t epoch;
    struct table_settings settings;
    const struct table_listener *listeners;
    unsigned listener_count;
    const struct table_service_spec *services;
    unsigned service_count;
};

/* A sealed memory file with the table; *fd is the caller's. Nothing in `spec` is needed afterwards.
 */
MUST_USE int table_build(const struct table_spec *spec, int *fd, struct error *why);
