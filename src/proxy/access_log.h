/*
 * The access log: one line a request, JSON or logfmt, through a bounded ring and out once a turn. A
 * reader that does not keep up costs lines (counted), never time.
 *
 * All workers write to one file or pipe. A file gets all that waits in one write, a pipe or socket
 * gets whole lines in pieces of at most PIPE_BUF bytes, which the kernel takes whole or not at all
 * (POSIX write()): lines of several workers never mix.
 *
 * Names, in this order: time, method, path, status, bytes, replica, slot, rank, why, ms; then
 * client, host, service, request_id, attempts, bytes_in, replica_status, first_byte_ms, held_ms,
 * failure.
 * What is not there is null among the first ten of a JSON line and left off everywhere else.
 *
 * Owner: the struct it is embedded in (the worker's proxy).
 */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"

#define ACCESS_LOG_BYTES          (256 * 1024) /* of the ring */
#define ACCESS_LOG_TARGET_BYTES   1024         /* of a logged path; the rest is cut off */
#define ACCESS_LOG_LINE_BYTES_MAX 4096         /* PIPE_BUF: a line is never torn by a pipe */

enum access_format { ACCESS_JSON, ACCESS_LOGFMT };

/* What is known of a request when it is over. Empty views and negative numbers: not there. */
struct access_record {
    struct view method;
    struct view path; /* with its query */
    struct view host;
    struct view client_ip;
    struct view request_id;
    struct view service;
    struct view replica; /* the one that answered or was tried last */
    const char *why;     /* why this one: "owner", or what kept the owner from it */
    const char *failure; /* what went wrong, NULL for nothing */
    int64_t slot;
    int64_t rank; /* 0: the owner */
    unsigned attempts;
    unsigned status;         /* what the client was told; 499: it had gone */
    unsigned replica_status; /* what the replica said, 0: nothing */
    uint64_t bytes_in;       /* of the request's body */
    uint64_t bytes_out;      /* of the answer's body */
    uint64_t took_us;        /* from the whole head to the end of the answer */
    int64_t first_byte_us;   /* from the whole head to the answer's head, negative: none came */
    uint64_t held_us;        /* of that, it waited for its owner; 0: not at all */
};

/* What the descriptor leads to, and so how it is written to without waiting. */
enum access_way { ACCESS_FILE, ACCESS_SOCKET, ACCESS_PIPE };

struct access_log {
    int fd; /* -1: off */
    enum access_format format;
    enum access_way way;
    bool must_ask;    /* a pipe that would wait: poll() before each write */
    bool is_torn;     /* the first byte that waits is not the first of its line */
    char *ring;       /* NULL while off */
    size_t start;     /* of what waits */
    size_t size;      /* bytes waiting */
    uint64_t dropped; /* lines, since the start */
    uint64_t second;  /* whose text is in `when` */
    char when[CLOCK_TEXT_BYTES];
};

/*
 * For the keeper: a descriptor for the lines, the caller's. `path` NULL is standard output. A pipe
 * or terminal is opened anew where that is possible, so that it can be non-blocking without
 * changing what others share. -errno with a sentence, -ENXIO for a FIFO that nobody reads.
 */
MUST_USE int access_log_open(const char *path, struct error *why);

/* `fd` (-1: off) is the log's from now on. Ignores SIGPIPE from now on: a reader may go. */
void access_log_init(struct access_log *log, int fd, enum access_format format);

/* Writes what goes without waiting and closes the descriptor. Harmless on one that is off. */
void access_log_finish(struct access_log *log);

/* Another descriptor (-1: off) for what is written from now on (SIGUSR1); the old one is closed.
 * What waits goes to the new one. */
void access_log_reopen(struct access_log *log, int fd);

static inline bool access_log_is_on(const struct access_log *log)
{
    return log->fd >= 0;
}

/* Puts a line into the ring, or counts it as dropped where the ring is full. `wall_ms` is the time
 * of the request's end. */
void access_log_add(struct access_log *log, const struct access_record *record, uint64_t wall_ms);

/* Once a turn: writes what waits, as far as it goes without waiting. Where writing fails for good
 * the lines are dropped and counted. */
void access_log_flush(struct access_log *log);

/* Bytes of the lines that have not been written. */
static inline size_t access_log_waiting(const struct access_log *log)
{
    return log->size;
}
